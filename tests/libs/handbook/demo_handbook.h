// The handbook that ships for the demonstration, as text.

#ifndef AFTERCARE_TESTS_LIBS_HANDBOOK_DEMO_HANDBOOK_H_
#define AFTERCARE_TESTS_LIBS_HANDBOOK_DEMO_HANDBOOK_H_

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace aftercare::testing {

inline std::string DemoHandbookText() {
  const char* source = std::getenv("AFTERCARE_SOURCE");
  std::ifstream file(std::string(source == nullptr ? "." : source) +
                     "/deploy/handbooks/demo.yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_LIBS_HANDBOOK_DEMO_HANDBOOK_H_
