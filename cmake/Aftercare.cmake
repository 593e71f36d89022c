# Build rules shared by every directory: one function per kind of target.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl REQUIRED)
find_package(GTest REQUIRED)
find_package(yaml-cpp REQUIRED)
pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # base_dir and nohashdir let every build directory share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(aftercare_warnings INTERFACE)
target_compile_options(aftercare_warnings INTERFACE
  -Wall -Wextra -Wshadow -Werror=switch -Werror=unused-result -Werror=return-type)

# aftercare_proto(<name> PROTOS <files relative to proto/> [DEPS <aftercare proto targets>])
# Messages only: services are bound from their descriptors at run time
# (libs/rpc), so no gRPC stubs are generated or compiled.
function(aftercare_proto name)
  cmake_parse_arguments(ARG "" "" "PROTOS;DEPS" ${ARGN})
  set(outputs)
  set(out_dir ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out_dir})
  foreach(proto ${ARG_PROTOS})
    string(REPLACE ".proto" "" stem ${proto})
    set(proto_file ${CMAKE_SOURCE_DIR}/proto/${proto})
    if(NOT EXISTS ${proto_file})
      # From Debian's grpc-proto.
      set(proto_file /usr/share/grpc-proto/${proto})
    endif()
    add_custom_command(
      OUTPUT ${out_dir}/${stem}.pb.cc ${out_dir}/${stem}.pb.h
      COMMAND protobuf::protoc --cpp_out=${out_dir}
              -I${CMAKE_SOURCE_DIR}/proto -I/usr/include -I/usr/share/grpc-proto
              ${proto}
      DEPENDS ${proto_file}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/proto
      VERBATIM)
    list(APPEND outputs ${out_dir}/${stem}.pb.cc)
  endforeach()
  add_library(${name} STATIC ${outputs})
  target_include_directories(${name} SYSTEM PUBLIC ${out_dir})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${ARG_DEPS})
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(${name} PRIVATE -g0)
  endif()
endfunction()

# aftercare_library(<name> SRCS <files> [DEPS <targets>])
function(aftercare_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE aftercare_warnings)
endfunction()

# aftercare_binary(<name> SRCS <files> [DEPS <targets>])
function(aftercare_binary name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} aftercare_warnings)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # Rows and events are many small objects: replay is twice as fast with it.
    # Debug builds leave the heap to the sanitizers.
    target_link_libraries(${name} PRIVATE PkgConfig::jemalloc aftercare_heap)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# aftercare_test(<name> SRCS <files> [DEPS <targets>] [LABELS fast|slow...] [TIMEOUT s])
# One binary per directory; each gtest case becomes one ctest entry unless
# WHOLE is given (then the binary is one entry, for suites that share set-up).
function(aftercare_test name)
  cmake_parse_arguments(ARG "WHOLE" "TIMEOUT" "SRCS;DEPS;LABELS;ENVIRONMENT" ${ARGN})
  aftercare_binary(${name} SRCS ${ARG_SRCS} DEPS ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT
    "TSAN_OPTIONS=die_after_fork=0:suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp;AFTERCARE_SHARED_DATA=${CMAKE_SOURCE_DIR}/../shared/data;AFTERCARE_BIN=${CMAKE_BINARY_DIR}/bin;AFTERCARE_SOURCE=${CMAKE_SOURCE_DIR};${ARG_ENVIRONMENT}")
endfunction()
