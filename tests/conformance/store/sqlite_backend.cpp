#include "conformance/store/store_law.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>

namespace dyad::conformance {
namespace {

// Callbacks of all handles, run by the test's thread.
class Loop {
  public:
    void post(std::function<void()> work) {
        const std::lock_guard held(mutex_);
        work_.push_back(std::move(work));
        wake_.notify_one();
    }
    void run_once() {
        std::deque<std::function<void()>> due;
        {
            std::unique_lock held(mutex_);
            wake_.wait_for(held, std::chrono::milliseconds(2), [this] { return !work_.empty(); });
            due.swap(work_);
        }
        for (auto& work : due)
            work();
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> work_;
};

class SqliteBackend final : public Backend {
  public:
    SqliteBackend() {
        std::string name = (std::filesystem::temp_directory_path() / "store-law-XXXXXX").string();
        base_ = ::mkdtemp(name.data());
        open();
    }
    ~SqliteBackend() override {
        close();
        std::filesystem::remove_all(base_);
    }

    Store& first() override { return *first_; }
    Store& second() override { return *second_; }
    void drop_second() override { second_.reset(); }
    void pump() override { loop_.run_once(); }

    // A crash leaves the files as they are at some moment: so their copy is opened.
    void restart(bool cleanly) override {
        if (!cleanly) std::filesystem::copy(folder(), folder(1));
        close();
        if (!cleanly) {
            std::filesystem::remove_all(folder());
            ++generation_;
        }
        open();
    }

  private:
    std::filesystem::path folder(int ahead = 0) const {
        return base_ / std::to_string(generation_ + ahead);
    }
    void open() {
        sqlite::DatabaseOptions options;
        options.folder = folder().string();
        options.store.epoch_seed = test::kSampleSeed;
        options.store.segments.events_max = 16;  // several segments in a small log
        options.store.segments.merge_below_bytes = 1500;
        options.store.apply_bytes = 16 * 1024;
        options.store.index = {.tail = 24, .chunk = 16};
        options.idle_apply_ms = 1'000'000;  // the files rest while they are copied
        auto opened = sqlite::Database::open(options, random_);
        if (!opened) {
            ADD_FAILURE() << opened.error().to_string();
            std::abort();
        }
        database_ = *opened;
        const auto post = [this](std::function<void()> work) { loop_.post(std::move(work)); };
        first_ = std::make_unique<sqlite::SqliteStore>(database_, post);
        second_ = std::make_unique<sqlite::SqliteStore>(database_, post);
    }
    void close() {
        first_.reset();
        second_.reset();
        database_->stop();
        database_.reset();
    }

    std::filesystem::path base_;
    int generation_ = 0;
    SystemRandom random_;
    Loop loop_;
    std::shared_ptr<sqlite::Database> database_;
    std::unique_ptr<sqlite::SqliteStore> first_;
    std::unique_ptr<sqlite::SqliteStore> second_;
};

std::unique_ptr<Backend> make_backend() {
    return std::make_unique<SqliteBackend>();
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreLaw, testing::Values(&make_backend));
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreProjections, testing::Values(&make_backend));
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreRetention, testing::Values(&make_backend));

}  // namespace dyad::conformance
