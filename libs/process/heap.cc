// What jemalloc reads at the start of every program; MALLOC_CONF in the
// environment overrules it. Rows lie all over a large heap: with huge pages a
// command takes a tenth less time.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,metadata_thp:always";
}
