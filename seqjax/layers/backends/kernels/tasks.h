// A call's work, cut into tasks that XLA's threads share.
//
// The cut depends on shapes (and on what a mask or token holds), never on how many threads there are, and no two tasks
// add to one number: so the bits are the same on any number of them.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>

#include "xla/ffi/api/ffi.h"

namespace seqjax {

class Tasks {
 public:
  explicit Tasks(xla::ffi::ThreadPool pool) : pool_(pool), threads_(pool.num_threads()) {}

  // task(k) for every k below count, in any order; returns when all are done. operations: about how many numbers are
  // multiplied or moved in all; few are not worth the waking of threads.
  template <class Task>
  void run(int64_t count, double operations, const Task& task) {
    constexpr double kWorthwhile = 1 << 18;
    const int64_t helpers = operations < kWorthwhile ? 0 : std::min<int64_t>(threads_, count) - 1;
    if (helpers < 1) {
      for (int64_t k = 0; k < count; ++k) task(k);
      return;
    }
    const auto shared = std::make_shared<Shared>(count);
    // A helper that comes too late finds nothing left, and looks at nothing but `shared`.
    for (int64_t k = 0; k < helpers; ++k) pool_.Schedule([shared, &task] { shared->work(task); });
    shared->work(task);  // the caller works too and waits for begun tasks only: nothing can wait for ever
    shared->wait();
  }

 private:
  struct Shared {
    explicit Shared(int64_t count) : count(count) {}

    template <class Task>
    void work(const Task& task) {
      for (int64_t k; (k = next.fetch_add(1)) < count;) {
        try {
          task(k);
        } catch (const std::bad_alloc&) {
          failed = true;
        }
        if (done.fetch_add(1) + 1 < count) continue;
        const std::lock_guard<std::mutex> lock(mutex);
        all_done.notify_one();
      }
    }
    void wait() {
      constexpr int kSpins = 2000;  // some 20 microseconds, less than a thread takes to wake up
      for (int k = 0; k < kSpins && done < count; ++k) pause();
      std::unique_lock<std::mutex> lock(mutex);
      all_done.wait(lock, [&] { return done == count; });
      if (failed) throw std::bad_alloc();
    }
    static void pause() {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }

    const int64_t count;
    std::atomic<int64_t> next{0}, done{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::condition_variable all_done;
  };

  xla::ffi::ThreadPool pool_;
  int64_t threads_;
};

}  // namespace seqjax
