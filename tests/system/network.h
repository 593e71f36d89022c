// A network of the test's own, to be cut at will: one switch, and a network
// namespace for each number at the end of a cable. Packets of a cut one are
// dropped without a word, in both directions. It ends with the process.

#ifndef AFTERCARE_TESTS_SYSTEM_NETWORK_H_
#define AFTERCARE_TESTS_SYSTEM_NETWORK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace aftercare::testing::network {

// Moves the process into namespaces of its own (user, network, mounts), with
// the switch and all cables. Before any thread is started. UNAVAILABLE, and
// nothing has changed, where that is not permitted.
absl::Status Enter();
bool Entered();

// Cables 2 to kLast.
inline constexpr int kLast = 20;
std::string AddressOf(int number);
// For setns and nsenter.
std::string FileOf(int number);

absl::Status Cut(int number);
absl::Status Heal(int number);

// A file system of its own in memory, of so many bytes, at `directory`.
absl::Status MountDisk(const std::string& directory, int64_t bytes);
void UnmountDisk(const std::string& directory);

}  // namespace aftercare::testing::network

#endif  // AFTERCARE_TESTS_SYSTEM_NETWORK_H_
