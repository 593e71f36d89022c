// What a bad disk does to rows.

#ifndef AFTERCARE_LIBS_TESTING_DAMAGE_H_
#define AFTERCARE_LIBS_TESTING_DAMAGE_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace aftercare::testing {

// Changes a byte wherever `text` lies in the tables of the database in
// `directory`: the blocks there no longer fit their checksums. How often. What
// a store has written lies in tables once it was closed, and uncompressed as
// long as it is little.
inline int DamageRows(const std::string& directory, const std::string& text) {
  int places = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() != ".sst") continue;
    std::fstream table(file.path(),
                       std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(table)), {});
    for (size_t at = bytes.find(text); at != std::string::npos;
         at = bytes.find(text, at + 1)) {
      table.clear();
      table.seekp(static_cast<std::streamoff>(at));
      table.put(static_cast<char>(bytes[at] ^ 1));
      ++places;
    }
  }
  return places;
}

}  // namespace aftercare::testing

#endif  // AFTERCARE_LIBS_TESTING_DAMAGE_H_
