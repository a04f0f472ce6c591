#include "conformance/store/store_law.hpp"
#include "store/mongo/mongo_store.hpp"
#include "support/mongo_server.hpp"
#include "support/posted.hpp"

#include <cstdlib>

namespace dyad::conformance {
namespace {

// One server for all tests of the program, a database for each; two nodes on it.
test::MongoServer* server(bool standalone) {
    static const std::unique_ptr<test::MongoServer> set = test::MongoServer::start();
    static const std::unique_ptr<test::MongoServer> alone =
        test::MongoServer::start({"--standalone"});
    return standalone ? alone.get() : set.get();
}

class MongoBackend final : public Backend {
  public:
    explicit MongoBackend(bool standalone) : server_(server(standalone)) {
        static int tests = 0;
        options_.url = server_->url();
        options_.database = "law" + std::to_string(++tests);
        options_.seed = test::kSampleSeed;
        options_.project_after_ms = 20;
        open();
    }
    ~MongoBackend() override { close(); }

    Store& first() override { return *first_; }
    Store& second() override { return *second_; }
    void drop_second() override { second_.reset(); }
    void pump() override { cell_.run_once(2); }
    // Not cleanly: what was acknowledged is there even where the server is killed.
    void restart(bool cleanly) override {
        if (!cleanly) {
            server_->kill();
            server_->restart();
        }
        close();
        open();
    }

  private:
    std::shared_ptr<mongo::Database> connect() {
        auto opened = mongo::Database::open(options_, random_);
        if (!opened || !(*opened)->health().connected) {
            ADD_FAILURE() << (opened ? (*opened)->health().problem : opened.error().to_string());
            std::abort();
        }
        return *std::move(opened);
    }
    void open() {
        nodes_ = {connect(), connect()};
        first_ = std::make_unique<mongo::MongoStore>(nodes_[0], cell_.post());
        second_ = std::make_unique<mongo::MongoStore>(nodes_[1], cell_.post());
    }
    void close() {
        first_.reset();
        second_.reset();
        for (auto& node : nodes_)
            node->stop();
        nodes_ = {};
    }

    test::MongoServer* server_;
    mongo::MongoOptions options_;
    SystemRandom random_;
    test::Posted cell_;
    std::array<std::shared_ptr<mongo::Database>, 2> nodes_;
    std::unique_ptr<mongo::MongoStore> first_;
    std::unique_ptr<mongo::MongoStore> second_;
};

template <bool standalone>
std::unique_ptr<Backend> make_backend() {
    if (!test::MongoServer::missing().empty()) return nullptr;
    return std::make_unique<MongoBackend>(standalone);
}

const auto kBoth = testing::Values(&make_backend<false>, &make_backend<true>);

}  // namespace

INSTANTIATE_TEST_SUITE_P(Mongo, StoreLaw, kBoth);
INSTANTIATE_TEST_SUITE_P(Mongo, StoreProjections, kBoth);
INSTANTIATE_TEST_SUITE_P(Mongo, StoreRetention, kBoth);

}  // namespace dyad::conformance
