// The parts together, as a driver with one thread and one with several connections use them.
#include "driver/backlog.hpp"

#include "driver/caller.hpp"
#include "support/posted.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

#include <gtest/gtest.h>

namespace dyad::driver {
namespace {

TEST(Backlog, CountsOverAllMailboxesAndRefusesWhatIsTooMuch) {
    Backlog backlog("the store", 3);
    Mailbox<int> first, second;
    int one = 1;
    EXPECT_TRUE(backlog.submit(first, one));
    EXPECT_TRUE(backlog.submit(second, one));
    EXPECT_TRUE(backlog.submit(second, one));
    const Status refused = backlog.submit(first, one);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().to_string(), "unavailable: 3 requests wait for the store already");
    EXPECT_EQ(backlog.waiting(), 3u);
    backlog.answered(2);
    EXPECT_TRUE(backlog.submit(first, one));
}

TEST(Backlog, TheDriversOwnRequestsAreCountedAndNeverRefused) {
    Backlog backlog("the store", 1);
    Mailbox<int> mailbox;
    backlog.count();
    backlog.count();
    int one = 1;
    EXPECT_FALSE(backlog.submit(mailbox, one));
    EXPECT_EQ(backlog.waiting(), 2u);
}

TEST(Backlog, WhatIsRefusedIsAsItWasAndIsNotCounted) {
    Backlog backlog("the database", 1);
    Mailbox<std::unique_ptr<int>> mailbox;
    auto request = std::make_unique<int>(1);
    backlog.close();
    const Status refused = backlog.submit(mailbox, request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().to_string(), "draining: the database is closing");
    EXPECT_NE(request, nullptr);

    Backlog open("the database", 1);
    mailbox.stop();
    ASSERT_TRUE(mailbox.ended());
    EXPECT_EQ(open.submit(mailbox, request).error().code, Errc::draining);
    EXPECT_NE(request, nullptr);
    EXPECT_EQ(open.waiting(), 0u);
}

TEST(Backlog, OfManyAtOnceItTakesTheFirstOnesAndLeavesTheRest) {
    Backlog backlog("the store", 3);
    Mailbox<std::unique_ptr<int>> mailbox;
    std::vector<std::unique_ptr<int>> requests;
    for (int i = 0; i < 5; ++i)
        requests.push_back(std::make_unique<int>(i));
    const Status refused = backlog.submit_all(mailbox, requests);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().to_string(), "unavailable: 3 requests wait for the store already");
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(*requests[0], 3);
    EXPECT_EQ(*requests[1], 4);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(**mailbox.take_one(), i);
    backlog.answered(3);
    EXPECT_TRUE(backlog.submit_all(mailbox, requests));
    EXPECT_TRUE(requests.empty());

    mailbox.stop();
    while (mailbox.take_one()) {
    }
    backlog.answered(2);
    requests.push_back(std::make_unique<int>(7));
    EXPECT_EQ(backlog.submit_all(mailbox, requests).error().code, Errc::draining);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(*requests[0], 7);
    EXPECT_EQ(backlog.waiting(), 0u);
}

TEST(Backlog, ManyThreadsTogetherDoNotGetBeyondTheBound) {
    constexpr std::size_t kMax = 100;
    Backlog backlog("the store", kMax);
    Mailbox<int> mailbox;
    std::atomic<std::size_t> taken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (std::size_t n = 0; n < kMax; ++n) {
                int request = 0;
                if (backlog.submit(mailbox, request)) ++taken;
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(taken, kMax);
    EXPECT_EQ(backlog.waiting(), kMax);
}

// A pool of connections that block, with one mailbox: a question is asked of whichever is free.
class Pool {
  public:
    struct Connection {
        int number = 0;
    };
    struct Request {
        CallerPtr caller;
        std::function<Result<int>(Connection&)> question;
        std::function<void(Result<int>)> done;
    };

    Pool(int connections, std::size_t requests_max) : backlog_("the database", requests_max) {
        for (int i = 0; i < connections; ++i)
            workers_.emplace_back([this, i] { run({.number = i}); });
    }
    ~Pool() { stop(); }

    void ask(Request request) {
        const Status taken = backlog_.submit(mailbox_, request);
        if (!taken) answer(request.caller, std::move(request.done), taken.error());
    }
    std::size_t waiting() const { return backlog_.waiting(); }
    // Whatever was taken is answered.
    void stop() {
        backlog_.close();
        mailbox_.stop();
        for (std::thread& worker : workers_)
            worker.join();
        workers_.clear();
    }

  private:
    void run(Connection connection) {
        while (std::optional<Request> request = mailbox_.take_one()) {
            Result<int> result = request->question(connection);
            backlog_.answered();
            answer(request->caller, std::move(request->done), std::move(result));
        }
    }

    Backlog backlog_;
    Mailbox<Request> mailbox_;
    std::vector<std::thread> workers_;
};

class DriverPool : public testing::Test {
  protected:
    void ask(int number, const std::function<Result<int>(Pool::Connection&)>& question) {
        heard_.resize(std::max<std::size_t>(heard_.size(), number + 1));
        pool_.ask({caller_, question, [this, number](const Result<int>& result) {
                       heard_[number].push_back(result ? "" : result.error().to_string());
                       answers_ += 1;
                   }});
    }

    static constexpr int kConnections = 3;
    static constexpr std::size_t kRequests = 10;
    test::Posted cell_;
    CallerPtr caller_ = Caller::make(cell_.post());
    std::vector<std::vector<std::string>> heard_;  // by request
    std::size_t answers_ = 0;
    Pool pool_{kConnections, kRequests};
};

TEST_F(DriverPool, AllConnectionsWorkAtOnceWhileTheCellGoesOn) {
    std::latch all_busy(kConnections);  // blocks each until every other one is asked
    for (int i = 0; i < kConnections; ++i)
        ask(i, [&](Pool::Connection& connection) -> Result<int> {
            all_busy.arrive_and_wait();
            return connection.number;
        });
    cell_.run_until([&] { return answers_ == kConnections; });
    EXPECT_EQ(pool_.waiting(), 0u);
}

TEST_F(DriverPool, WhatIsBeyondTheBoundIsRefusedAtOnce) {
    std::latch go(1);
    const auto block = [&](Pool::Connection&) -> Result<int> {
        go.wait();
        return 1;
    };
    for (int i = 0; i < static_cast<int>(kRequests) + 2; ++i)
        ask(i, block);
    cell_.run_until([&] { return answers_ == 2; });
    for (std::size_t i = kRequests; i < kRequests + 2; ++i)
        EXPECT_EQ(
            heard_[i],
            (std::vector<std::string>{"unavailable: 10 requests wait for the database already"}));
    go.count_down();
    cell_.run_until([&] { return answers_ == kRequests + 2; });
    for (const auto& answers : heard_)
        EXPECT_EQ(answers.size(), 1u);
}

TEST_F(DriverPool, StoppingAnswersWhatWaitsOnceAndRefusesWhatComes) {
    std::latch go(1);
    for (int i = 0; i < static_cast<int>(kRequests); ++i)
        ask(i, [&](Pool::Connection&) -> Result<int> {
            go.wait();
            return 1;
        });
    std::thread stopping([this] { pool_.stop(); });
    go.count_down();
    stopping.join();
    ask(kRequests, [](Pool::Connection&) -> Result<int> { return 1; });
    cell_.run_once(0);
    ASSERT_EQ(heard_.size(), kRequests + 1);
    for (std::size_t i = 0; i < kRequests; ++i)
        EXPECT_EQ(heard_[i], std::vector<std::string>{""});
    EXPECT_EQ(heard_[kRequests], std::vector<std::string>{"draining: the database is closing"});
}

TEST_F(DriverPool, ACellThatClosesWhileItsRequestsWaitHearsNothing) {
    std::latch go(1);
    std::atomic<int> asked{0};
    for (int i = 0; i < static_cast<int>(kRequests); ++i)
        ask(i, [&](Pool::Connection&) -> Result<int> {
            go.wait();
            return ++asked;
        });
    caller_->close();
    go.count_down();
    pool_.stop();
    cell_.run_once(0);
    EXPECT_EQ(asked, static_cast<int>(kRequests));
    EXPECT_EQ(answers_, 0u);
    EXPECT_EQ(cell_.posts(), 0);
}

}  // namespace
}  // namespace dyad::driver
