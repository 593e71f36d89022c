// Files of one test, written and read whole.

#ifndef AFTERCARE_TESTS_SERVICES_CTL_FILES_H_
#define AFTERCARE_TESTS_SERVICES_CTL_FILES_H_

#include <zlib.h>

#include <fstream>
#include <sstream>
#include <string>

namespace aftercare::testing {

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The path.
inline std::string WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

inline std::string WriteGzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  return path;
}

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_SERVICES_CTL_FILES_H_
