// aftercarectl as a process: what it printed and how it ended.

#ifndef AFTERCARE_TESTS_SERVICES_CTL_CTL_H_
#define AFTERCARE_TESTS_SERVICES_CTL_CTL_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "libs/testing/temp_dir.h"
#include "tests/services/ctl/files.h"

namespace aftercare::testing {

class Ctl {
 public:
  // Starts it with these arguments behind --server.
  Ctl(int port, std::vector<std::string> arguments) {
    const char* bin = std::getenv("AFTERCARE_BIN");
    std::vector<std::string> words = {
        std::string(bin == nullptr ? "." : bin) + "/aftercarectl", "--server",
        "127.0.0.1:" + std::to_string(port)};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const int flags = O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC;
    const int out = open((dir_ / "out").c_str(), flags, 0644);
    const int err = open((dir_ / "err").c_str(), flags, 0644);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(out, STDOUT_FILENO);
      dup2(err, STDERR_FILENO);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    close(out);
    close(err);
  }
  ~Ctl() {
    Kill();
    Wait();
  }
  Ctl(const Ctl&) = delete;
  Ctl& operator=(const Ctl&) = delete;

  // The exit code; 128 and the signal when it was killed.
  int Wait() {
    Reap(0);
    return code_;
  }
  bool Ended() {
    Reap(WNOHANG);
    return pid_ < 0;
  }
  void Kill() {
    if (pid_ > 0) kill(pid_, SIGKILL);
  }

  std::string out() const { return ReadFile(dir_ / "out"); }
  std::string err() const { return ReadFile(dir_ / "err"); }

 private:
  void Reap(int options) {
    int status = 0;
    if (pid_ < 0 || waitpid(pid_, &status, options) != pid_) return;
    pid_ = -1;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const TempDir dir_;
  pid_t pid_ = -1;
  int code_ = -1;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_SERVICES_CTL_CTL_H_
