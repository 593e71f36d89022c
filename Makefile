# Every target works on a fresh Debian 12 machine as its only command.
# How long `make test-kafka` lets faults happen, and to how many brokers.
FAULT_SECONDS ?= 120
FAULT_NODES ?= 3

.PHONY: help deps build demo test test-kafka serve serve-kafka bench format lint asan tsan clean

PRESET ?= release
BUILD := build/$(PRESET)
BIN := build/release/bin
JOBS ?= $(shell nproc)
DATA ?=
SERVE_DATA ?= $(CURDIR)/build/serve-data
LISTEN ?= 127.0.0.1:7400

help:
	@echo "make demo [DATA=file.csv]  build, live a history end to end, print what happened"
	@echo "make test                  build and run all tests"
	@echo "make serve                 build and run aftercared on $(LISTEN)"
	@echo "make serve-kafka           build and run a broker and one process per service"
	@echo "make test-kafka            the tests on a real broker, with longer faults"
	@echo "make bench                 build and run the benchmarks"
	@echo "make format | make lint    format the sources | check them"
	@echo "make asan | make tsan      the fast tests under a sanitizer"

deps:
	@scripts/install-deps.sh

$(BUILD)/build.ninja: deps
	cmake --preset $(PRESET)

build: deps $(BUILD)/build.ninja
	cmake --build --preset $(PRESET) -j $(JOBS)

demo: build
	$(BIN)/aftercare-demo --source $(CURDIR) $(if $(DATA),--data-file $(DATA))

test: build
	ctest --preset release -j $(JOBS)

serve: build
	mkdir -p $(SERVE_DATA)
	$(BIN)/aftercared --data $(SERVE_DATA) --listen $(LISTEN) \
	  --metrics 127.0.0.1:7401 --insecure-dev-identity

serve-kafka: build
	deploy/dev/serve-kafka $(BIN)

test-kafka: build
	AFTERCARE_FAULT_SECONDS=$(FAULT_SECONDS) AFTERCARE_FAULT_NODES=$(FAULT_NODES) \
	  ctest --preset release -R 'kafka|interop' --verbose

bench: build
	$(BIN)/bench_commands
	$(BIN)/bench_replay
	AFTERCARE_SOURCE=$(CURDIR) $(BIN)/bench_kafka_commands || [ $$? -eq 3 ]
	AFTERCARE_SOURCE=$(CURDIR) $(BIN)/bench_kafka_replay || [ $$? -eq 3 ]

asan tsan: deps
	cmake --preset $@
	cmake --build --preset $@ -j $(JOBS)
	ctest --preset $@ -j $(JOBS)

format: deps
	git ls-files '*.h' '*.cc' | xargs clang-format -i

lint: deps
	scripts/lint.sh

clean:
	rm -rf build
