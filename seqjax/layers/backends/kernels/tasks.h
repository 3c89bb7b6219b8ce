// A call's work, cut into tasks that XLA's threads share.
//
// The cut depends on shapes (and on what a mask or token holds), never on how many threads there are, and no two tasks
// add to one number: so the bits are the same on any number of them.

#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
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
  void work() {
    for (int64_t k; (k = next_.fetch_add(1)) < count_;) {
      try {
        (*task_)(k);
      } catch (const std::bad_alloc&) {
        failed_ = true;
      }
      if (done_.fetch_add(1) + 1 < count_) continue;
      const std::lock_guard<std::mutex> lock(mutex_);
      all_done_.notify_one();
    }
  }
  // For the tasks that others have begun.
  void wait() {
    constexpr int kSpins = 2000;  // some 20 microseconds, less than a thread takes to wake up
    for (int k = 0; k < kSpins && done_ < count_; ++k) pause();
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [&] { return done_ == count_; });
    if (failed_) throw std::bad_alloc();
  }

 private:
  const int64_t count_;
  const Task* const task_;
  std::atomic<int64_t> next_{0}, done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable all_done_;
};

// Threads that have helped stand by for a moment, as the next call often comes soon: a thread that sleeps is woken in
// 5 to 50 microseconds, but in one call of five Linux puts it on the very core of the caller, where it waits until all
// is done (a step of W1 took 4 ms instead of 2.8). They yield to whoever else wants their core.
class Standby {
 public:
  // Gives the job to a thread that stands by, if one does.
  static bool hand(const std::shared_ptr<Job>& job) {
    for (Place& place : places_) {
      int waiting = kWaiting;
      if (place.state.load() != kWaiting || !place.state.compare_exchange_strong(waiting, kTaken)) continue;
      place.job = job;
      place.state = kGiven;
      return true;
    }
    return false;
  }
  // Another job for this thread, or none.
  static std::shared_ptr<Job> wait() {
    for (Place& place : places_) {
      int state = kFree;
      if (!place.state.compare_exchange_strong(state, kWaiting)) continue;
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kMicroseconds);
      while (place.state.load() != kGiven) {
        for (int k = 0; k < 50; ++k) pause();
        sched_yield();
        state = kWaiting;
        if (std::chrono::steady_clock::now() > end && place.state.compare_exchange_strong(state, kFree)) return {};
      }
      const auto job = std::move(place.job);
      place.state = kFree;
      return job;
    }
    return {};
  }

 private:
  static constexpr int kFree = 0, kWaiting = 1, kTaken = 2, kGiven = 3, kMicroseconds = 500, kPlaces = 256;
  struct Place {
    std::atomic<int> state;  // static: zero, kFree
    std::shared_ptr<Job> job;
  };
  static inline Place places_[kPlaces];
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
    for (int64_t k = 0; k < helpers; ++k)
      if (!Standby::hand(job)) pool_.Schedule([job] {
          for (auto next = job; next; next = Standby::wait()) next->work();
        });
    job->work();  // the caller works too and waits for begun tasks only: nothing can wait for ever
    job->wait();
  }

 private:
  xla::ffi::ThreadPool pool_;
  int64_t threads_;
};

}  // namespace seqjax
