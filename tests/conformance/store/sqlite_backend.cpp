#include "conformance/store/store_law.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/posted.hpp"

#include <cstdlib>
#include <filesystem>
#include <future>

namespace dyad::conformance {
namespace {

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
    void pump() override {
        first_->flush();
        if (second_) second_->flush();
        cell_.run_once(2);
    }

    // A crash leaves the files as they are at some moment: so their copy is opened. It is made on
    // the thread that writes the database, which may be amid an apply.
    void restart(bool cleanly) override {
        if (!cleanly) {
            std::promise<void> copied;
            database_->read([&](const auto&) {
                std::filesystem::copy(folder(), folder(1));
                copied.set_value();
            });
            copied.get_future().wait();
        }
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
        first_ = std::make_unique<sqlite::SqliteStore>(database_, cell_.post());
        second_ = std::make_unique<sqlite::SqliteStore>(database_, cell_.post());
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
    test::Posted cell_;  // of all handles: run by the test's thread
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
