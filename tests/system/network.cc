#include "tests/system/network.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "libs/base/status_macros.h"

namespace aftercare::testing::network {
namespace {

bool entered = false;

absl::Status Problem(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::Status Shell(const std::string& command) {
  if (std::system(command.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("failed: ", command));
}

absl::Status Write(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, text.data(), text.size()) ==
                                        static_cast<ssize_t>(text.size());
  if (file >= 0) close(file);
  return written ? absl::OkStatus() : Problem(path);
}

std::string HardwareOf(int number) {
  return absl::StrFormat("02:00:0a:4d:00:%02x", number);
}

absl::Status Build() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return Problem("unshare");
  }
  RETURN_IF_ERROR(Write("/proc/self/setgroups", "deny"));
  RETURN_IF_ERROR(Write("/proc/self/uid_map", absl::StrCat("0 ", user, " 1")));
  RETURN_IF_ERROR(Write("/proc/self/gid_map", absl::StrCat("0 ", group, " 1")));
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Problem("mount /");
  }
  // Where `ip` keeps its namespaces.
  if (mount("aftercare", "/run", "tmpfs", 0, nullptr) != 0) {
    return Problem("mount /run");
  }
  RETURN_IF_ERROR(Shell(absl::StrCat(
      "exec 2>/dev/null; PATH=$PATH:/usr/sbin:/sbin; set -e;"
      "ip link set lo up;"
      "ip link add hub type bridge;"
      "ip link set hub address ",
      HardwareOf(1), " up;", "ip address add ", AddressOf(1), "/24 dev hub")));
  std::string script = "exec 2>/dev/null; PATH=$PATH:/usr/sbin:/sbin; set -e;";
  for (int i = 2; i <= kLast; ++i) {
    absl::StrAppend(&script, "ip netns add n", i, ";ip link add v", i,
                    " type veth peer name eth0 netns n", i, ";ip link set v", i,
                    " master hub up;");
    // Everybody's hardware address is known beforehand: who is cut off is not
    // found out by asking for it, only by the silence.
    absl::StrAppend(&script, "printf '%s\\n' 'link set lo up' ",
                    "'link set eth0 address ", HardwareOf(i), " up' ",
                    "'address add ", AddressOf(i), "/24 dev eth0' ");
    for (int j = 1; j <= kLast; ++j) {
      if (j == i) continue;
      absl::StrAppend(&script, "'neighbour replace ", AddressOf(j), " lladdr ",
                      HardwareOf(j), " dev eth0 nud permanent' ");
    }
    absl::StrAppend(&script, "| ip -n n", i, " -batch -;",
                    "ip neighbour replace ", AddressOf(i), " lladdr ",
                    HardwareOf(i), " dev hub nud permanent;");
  }
  return Shell(script);
}

}  // namespace

absl::Status Enter() {
  // First in a child: half a network would be worse than none.
  const pid_t child = fork();
  if (child == 0) _exit(Build().ok() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::UnavailableError(
        "this system permits no namespaces of user, network and mounts, or "
        "lacks iproute2");
  }
  RETURN_IF_ERROR(Build());
  entered = true;
  return absl::OkStatus();
}

bool Entered() { return entered; }

std::string AddressOf(int number) { return absl::StrCat("10.77.0.", number); }

std::string FileOf(int number) { return absl::StrCat("/run/netns/n", number); }

// Out of the switch, not down: its end sees a cable that is well.
absl::Status Cut(int number) {
  return Shell(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin; exec ip link set v",
                            number, " nomaster"));
}

absl::Status Heal(int number) {
  return Shell(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin; exec ip link set v",
                            number, " master hub"));
}

absl::Status MountDisk(const std::string& directory, int64_t bytes) {
  std::filesystem::create_directories(directory);
  if (mount("aftercare", directory.c_str(), "tmpfs", 0,
            absl::StrCat("size=", bytes).c_str()) != 0) {
    return Problem(directory);
  }
  return absl::OkStatus();
}

void UnmountDisk(const std::string& directory) {
  umount2(directory.c_str(), MNT_DETACH);
}

}  // namespace aftercare::testing::network
