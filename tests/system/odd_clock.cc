// Preloaded into one process of a test: its wall clock is off by what the file
// AFTERCARE_CLOCK_FILE holds (nanoseconds, eight bytes, as the machine writes
// them), from one moment to the next when the test writes another number. The
// steady clock is left alone, and a wait for a moment of the wall clock is as
// long as with a kernel that has the odd clock itself.
//
// Nothing here may allocate or look symbols up: the allocator asks for the time
// before anything else works. Hence the bare system calls.

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr int64_t kSecond = 1'000'000'000;

const volatile int64_t* offset = nullptr;

__attribute__((constructor)) void OpenClock() {
  const char* path = getenv("AFTERCARE_CLOCK_FILE");
  const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) offset = static_cast<const int64_t*>(mapped);
}

int64_t Offset() { return offset == nullptr ? 0 : *offset; }

timespec Plus(timespec time, int64_t nanoseconds) {
  const int64_t sum = time.tv_sec * kSecond + time.tv_nsec + nanoseconds;
  time.tv_sec = sum / kSecond;
  time.tv_nsec = sum % kSecond;
  return time;
}

long Call(long number, long a, long b, long c = 0, long d = 0, long e = 0,
          long f = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

long Answer(long result) {
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

timespec Now() {
  timespec now{};
  Call(SYS_clock_gettime, CLOCK_REALTIME, reinterpret_cast<long>(&now));
  return Plus(now, Offset());
}

// No steady clock has run for thirty years: `time` is the wall's.
bool IsWall(const timespec& time) { return time.tv_sec > 1'000'000'000; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result =
      Answer(Call(SYS_clock_gettime, clock, reinterpret_cast<long>(time)));
  if (result == 0 &&
      (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = Plus(*time, Offset());
  }
  return static_cast<int>(result);
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  const timespec now = Now();
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* time) noexcept {
  const timespec now = Now();
  if (time != nullptr) *time = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(timespec* time, int base) noexcept {
  if (base != TIME_UTC) return 0;
  *time = Now();
  return base;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  if (!IsWall(*until)) {
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
  }
  const timespec real = Plus(*until, -Offset());
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &real);
}

// librdkafka's, of C's threads.h, which C++ does not have: glibc's POSIX
// threads by another name.
int cnd_timedwait(void* condition, void* mutex, const timespec* until) {
  constexpr int kSuccess = 0;
  constexpr int kError = 2;
  constexpr int kTimedOut = 4;
  const timespec real = Plus(*until, -Offset());
  switch (pthread_cond_clockwait(static_cast<pthread_cond_t*>(condition),
                                 static_cast<pthread_mutex_t*>(mutex),
                                 CLOCK_REALTIME, &real)) {
    case 0:
      return kSuccess;
    case ETIMEDOUT:
      return kTimedOut;
    default:
      return kError;
  }
}

int sem_timedwait(sem_t* semaphore, const timespec* until) {
  const timespec real = Plus(*until, -Offset());
  return sem_clockwait(semaphore, CLOCK_REALTIME, &real);
}

// Abseil waits by futex itself.
long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long word[6];
  for (long& one : word) one = va_arg(list, long);
  va_end(list);
  timespec real{};
  if (number == SYS_futex && (word[1] & FUTEX_CLOCK_REALTIME) != 0 &&
      word[3] != 0) {
    real = Plus(*reinterpret_cast<const timespec*>(word[3]), -Offset());
    word[3] = reinterpret_cast<long>(&real);
  }
  return Answer(
      Call(number, word[0], word[1], word[2], word[3], word[4], word[5]));
}

}  // extern "C"
