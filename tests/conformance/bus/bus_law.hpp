// The law of bus/bus.hpp as a test suite, for any backend:
//
//     INSTANTIATE_TEST_SUITE_P(Local, BusLaw, testing::Values(&make_bus_backend));
//
// in a program made by bus_conformance() (CMakeLists.txt).
#pragma once

#include "bus/bus.hpp"

#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace dyad::conformance {

class BusBackend {
  public:
    static constexpr std::size_t kNodes = 3;

    virtual ~BusBackend() = default;
    virtual Bus& node(std::size_t number) = 0;
    // Destroys a node's bus.
    virtual void drop(std::size_t number) = 0;
    // Until nothing is on its way; nothing is lost.
    virtual void pump() = 0;
    // The node's subscriptions are lost, and it is not told. False: they cannot be.
    virtual bool lose_subscriptions(std::size_t number) = 0;
};
using MakeBusBackend = std::unique_ptr<BusBackend> (*)();

class BusLaw : public testing::TestWithParam<MakeBusBackend> {
  protected:
    BusLaw() : backend_(GetParam()()) {
        for (std::size_t i = 0; i < BusBackend::kNodes; ++i)
            node(i).set_receiver([this, i](const BusMessage& message) {
                EXPECT_FALSE(calling_) << "the receiver was called inside a call";
                heard_[i].push_back(message);
            });
    }

    Bus& node(std::size_t number) { return backend_->node(number); }
    template <class Call>
    void call(Call what) {
        calling_ = true;
        what();
        calling_ = false;
    }
    void publish(std::size_t from, const BusMessage& message) {
        call([&] { node(from).publish(message); });
    }
    void follow(std::size_t number, const std::string& user) {
        call([&] { node(number).follow(user); });
    }
    // How many of a kind a node has heard since it was asked last; `user`: of that user.
    template <class Kind>
    int heard(std::size_t number, const std::string& user = {}) {
        backend_->pump();
        int count = 0;
        for (const BusMessage& message : heard_[number])
            if (std::holds_alternative<Kind>(message) &&
                (user.empty() || (user_of(message) != nullptr && *user_of(message) == user)))
                ++count;
        heard_[number].clear();
        return count;
    }
    static Announcement announcement(const std::string& user) {
        auto batch = std::make_shared<EventBatch>();
        LogHead head = first_head(user, 1);
        append_event(*batch, head,
                     {.kind = EventKind::mcp_tool_executed,
                      .scope = "mcp",
                      .source_instance_id = "laptop",
                      .operation_id = "one",
                      .data = "{}"});
        return {user, batch};
    }

    std::unique_ptr<BusBackend> backend_;
    std::array<std::vector<BusMessage>, BusBackend::kNodes> heard_;
    bool calling_ = false;
};

}  // namespace dyad::conformance
