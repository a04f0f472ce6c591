// A state on which commands are decided one after the other, without a store or an engine.
#pragma once

#include "core/decide.hpp"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace dyad::core::test {

inline constexpr std::int64_t kNow = 1'000'000;
inline constexpr std::int64_t kTtl = 5'000;

// A state that grows by what is decided on it.
class Desk {
  public:
    State state;
    Offset offset = 0;
    std::int64_t now = kNow;
    std::int64_t ttl = kTtl;
    Decision at;                           // the rest of it
    std::optional<Fence> fence;            // of the commands that follow
    std::optional<Provenance> provenance;  // the same

    Decided ask(CommandBody body, std::optional<Version> expected = std::nullopt,
                const std::string& instance = "desk") {
        Command command;
        command.instance_id = instance;
        command.operation_id = "op";
        command.expected_version = expected;
        command.fence = fence;
        command.provenance = provenance;
        command.body = std::move(body);
        const View view(state);
        at.now_ms = at.proven_ms = now;
        at.offset = offset + 1;
        at.context_ttl_ms = ttl;
        return decide(view, command, at);
    }
    // The context after an accepted command, which is folded into the state.
    ContextPtr take(CommandBody body, std::optional<Version> expected = std::nullopt,
                    const std::string& instance = "desk") {
        const Decided decided = ask(std::move(body), expected, instance);
        const auto* change = std::get_if<Change>(&decided);
        if (change == nullptr) return nullptr;
        ++offset;
        fold(state, *change);
        last = *change;
        const auto* context = std::get_if<ContextChange>(change);
        return context ? context->context : nullptr;
    }
    const ContextChange& last_change() const { return std::get<ContextChange>(last); }

    Change last;
};

inline std::optional<Errc> rejected(const Decided& decided) {
    const auto* rejection = std::get_if<Rejection>(&decided);
    return rejection ? std::optional(rejection->error.code) : std::nullopt;
}
inline ContextPtr current_of(const Decided& decided) {
    return std::get<Rejection>(decided).current;
}

inline PutContext put(const std::string& data, MergeStrategy strategy = MergeStrategy::replace) {
    return {.key = "k", .data = data, .strategy = strategy};
}
inline PutContext forced(const std::string& data) {
    PutContext body = put(data);
    body.force = true;
    return body;
}

// A key with version 1 `{"a":1,"b":1}` and version 2 `{"a":2,"b":1}`.
inline Desk with_two_versions() {
    Desk desk;
    EXPECT_TRUE(desk.take(put("{\"a\":1,\"b\":1}")));
    EXPECT_TRUE(desk.take(put("{\"a\":2,\"b\":1}"), 1));
    return desk;
}

// A context with one open conflict: stored 2, incoming 3, at /a.
inline Desk in_conflict() {
    Desk desk = with_two_versions();
    PutContext body = put("{\"a\":3,\"b\":1}", MergeStrategy::merge);
    body.base_data = std::optional<std::string>("{\"a\":1,\"b\":1}");
    EXPECT_TRUE(desk.take(body, 1));
    EXPECT_EQ(desk.state.conflicts.size(), 1u);
    return desk;
}

}  // namespace dyad::core::test
