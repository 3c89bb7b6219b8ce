// A call's work, cut into tasks that XLA's threads share.
//
// The cut depends on shapes (and on what a mask or token holds), never on how many threads there are, and no two tasks
// add to one number: so the bits are the same on any number of them.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>

#include "xla/ffi/api/ffi.h"

namespace seqjax {

using Task = std::function<void(int64_t)>;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Tasks that several threads take from one counter.
class Job {
 public:
  Job(int64_t count, const Task& task) : count_(count), task_(&task) {}

  // Whoever comes too late finds nothing left, and does not look at the task.
  void help() {
    ++helpers_;
    while (work()) {
    }
  }
  // Does a task; false: none was left.
  bool work() {
    const int64_t k = next_.fetch_add(1);
    if (k >= count_) return false;
    try {
      (*task_)(k);
    } catch (const std::bad_alloc&) {
      failed_ = true;
    }
    if (done_.fetch_add(1) + 1 == count_) {
      const std::lock_guard<std::mutex> lock(mutex_);
      all_done_.notify_one();
    }
    return true;
  }
  // For the tasks that others have begun.
  void wait() {
    constexpr int kSpins = 2000;  // some 20 microseconds, less than a thread takes to wake up
    for (int k = 0; k < kSpins && done_ < count_; ++k) pause();
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [&] { return done_ == count_; });
    if (failed_) throw std::bad_alloc();
  }
  int64_t helpers() const { return helpers_; }

 private:
  const int64_t count_;
  const Task* const task_;
  std::atomic<int64_t> next_{0}, done_{0}, helpers_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable all_done_;
};

class Tasks {
 public:
  explicit Tasks(xla::ffi::ThreadPool pool) : pool_(pool), threads_(pool.num_threads()) {}

  // task(k) for every k below count, in any order; returns when all are done. operations: about how many numbers are
  // multiplied or moved in all; few are not worth the waking of threads.
  void run(int64_t count, double operations, const Task& task) {
    constexpr double kWorthwhile = 1 << 18;
    const int64_t helpers = operations < kWorthwhile ? 0 : std::min<int64_t>(threads_, count) - 1;
    if (helpers < 1) {
      for (int64_t k = 0; k < count; ++k) task(k);
      return;
    }
    const auto job = std::make_shared<Job>(count, task);
    for (int64_t k = 0; k < helpers; ++k) ask(job);
    // The caller works too and waits for begun tasks only: nothing can wait for ever. A thread is woken in 5 to 50
    // microseconds; but where the other cores are busy for that moment, Linux puts it on the caller's own and leaves
    // it there until all is done (one call in five: 4 ms for a step of W1 instead of 2.8). So who has not come after
    // a task is asked for once more, which wakes another.
    int64_t again = helpers;
    while (job->work())
      for (int64_t missing = helpers - job->helpers(); again > 0 && missing > 0; --missing, --again) ask(job);
    job->wait();
  }

 private:
  void ask(const std::shared_ptr<Job>& job) {
    pool_.Schedule([job] { job->help(); });
  }

  xla::ffi::ThreadPool pool_;
  int64_t threads_;
};

}  // namespace seqjax
