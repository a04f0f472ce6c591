// The embedded store without a server: what the store's own measurements stand on.
#pragma once

#include "base/clock.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace dyad::bench {

using SteadyClock = std::chrono::steady_clock;

inline double seconds_since(SteadyClock::time_point begin) {
    return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// Callbacks of the store, run by the measuring thread.
class CallbackLoop {
  public:
    void post(std::function<void()> work) {
        const std::lock_guard held(mutex_);
        work_.push_back(std::move(work));
        if (work_.size() == 1) wake_.notify_one();
    }
    void run_once() {
        {
            std::unique_lock held(mutex_);
            wake_.wait(held, [this] { return !work_.empty(); });
            due_.swap(work_);
        }
        for (auto& work : due_)
            work();
        due_.clear();
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::function<void()>> work_;
    std::vector<std::function<void()>> due_;
};

// Of the epochs of the logs that the benchmarks make, as sample logs have it.
inline constexpr std::uint64_t kEpochSeed = 1;

class StoreRig {
  public:
    explicit StoreRig(std::string folder) : folder_(std::move(folder)) {}
    ~StoreRig() { close(); }

    // Ends the process where the store does not open.
    void open(std::int64_t idle_apply_ms = sqlite::DatabaseOptions().idle_apply_ms,
              const std::string& pragmas = {}) {
        sqlite::DatabaseOptions options;
        options.folder = folder_;
        options.store.extra_pragmas = pragmas;
        options.store.epoch_seed = kEpochSeed;
        options.idle_apply_ms = idle_apply_ms;
        auto opened = sqlite::Database::open(options, random_);
        if (!opened) {
            std::fprintf(stderr, "%s\n", opened.error().to_string().c_str());
            std::exit(1);
        }
        database_ = *opened;
        store_ = std::make_unique<sqlite::SqliteStore>(
            database_, [this](std::function<void()> work) { loop_.post(std::move(work)); });
    }
    // Another backend instead, which goes before this does.
    using Open = std::function<std::unique_ptr<Store>(std::function<void(std::function<void()>)>)>;
    void open_other(const Open& open) {
        store_ = open([this](std::function<void()> work) { loop_.post(std::move(work)); });
    }
    void close() {
        store_.reset();
        if (database_) database_->stop();
        database_.reset();
    }

    // Appends `requests` with `in_flight` of them under way; the latencies, in seconds.
    std::vector<double> append(std::deque<AppendRequest>& requests, std::size_t in_flight) {
        std::vector<double> latencies;
        latencies.reserve(requests.size());
        std::size_t under_way = 0;
        const auto submit = [&] {
            AppendRequest request = std::move(requests.front());
            requests.pop_front();
            ++under_way;
            const auto begin = SteadyClock::now();
            store_->append(std::move(request), [&, begin](const AppendResult& result) {
                if (result.outcome != AppendOutcome::committed) std::abort();
                latencies.push_back(seconds_since(begin));
                --under_way;
            });
        };
        while (!requests.empty() || under_way != 0) {
            while (under_way < in_flight && !requests.empty())
                submit();
            store_->flush();
            loop_.run_once();
        }
        return latencies;
    }

    Result<LoadedLog> load(const std::string& user) {
        std::optional<Result<LoadedLog>> loaded;
        store_->load(user, [&](Result<LoadedLog> result) { loaded = std::move(result); });
        while (!loaded)
            loop_.run_once();
        return *std::move(loaded);
    }

    // How many events went.
    std::size_t expire(std::int64_t before_ms) {
        std::optional<std::size_t> dropped;
        store_->expire_events(before_ms, [&](const Result<std::size_t>& result) {
            if (!result) std::abort();
            dropped = *result;
        });
        while (!dropped)
            loop_.run_once();
        return *dropped;
    }

    Store& store() { return *store_; }
    const std::string& folder() const { return folder_; }

  private:
    std::string folder_;
    SystemRandom random_;
    CallbackLoop loop_;
    std::shared_ptr<sqlite::Database> database_;
    std::unique_ptr<Store> store_;
};

}  // namespace dyad::bench
