// Commands: what exposes an operation id that was used for something else, and which fields are
// refused.
#include "model/command.hpp"

#include "base/limits.hpp"

#include <functional>

#include <gtest/gtest.h>

namespace dyad {
namespace {

Command command(CommandBody body) {
    Command command;
    command.instance_id = "desk";
    command.operation_id = "op-1";
    command.body = std::move(body);
    return command;
}

PutContext put() {
    PutContext put;
    put.key = "chat:1";
    put.data = R"({"a":1})";
    return put;
}

RecordResponse response() {
    RecordResponse response;
    response.record.chat_id = "c";
    response.record.message_id = "m";
    response.record.mode = "parallel";
    response.record.final.provider = "p";
    response.record.final.model = "x";
    response.record.final.response_hash = "00ff";
    return response;
}

// Each change makes another command of the one that was sent before.
template <class Body>
void expect_all_differ(const Body& body, std::vector<std::function<void(Body&)>> changes) {
    const std::uint64_t before = command(body).fingerprint();
    EXPECT_EQ(before, command(body).fingerprint());
    for (std::size_t i = 0; i < changes.size(); ++i) {
        Body other = body;
        changes[i](other);
        EXPECT_NE(command(other).fingerprint(), before) << "change " << i;
    }
}

TEST(Command, FingerprintSeesEveryFieldOfAPut) {
    expect_all_differ<PutContext>(
        put(),
        {[](PutContext& c) { c.key = "chat:2"; }, [](PutContext& c) { c.data = "{}"; },
         [](PutContext& c) { c.strategy = MergeStrategy::merge; },
         [](PutContext& c) { c.force = true; }, [](PutContext& c) { c.type = ContextType::chat; },
         [](PutContext& c) { c.type = ContextType::custom; },
         [](PutContext& c) { c.tags.emplace(); }, [](PutContext& c) { c.tags = {{"a"}}; },
         [](PutContext& c) { c.ttl_days = 0; }, [](PutContext& c) { c.ttl_days = 1; },
         [](PutContext& c) { c.expires_at_ms.emplace(); },
         [](PutContext& c) { c.expires_at_ms = 5; }});
}

TEST(Command, FingerprintSeesEveryFieldOfAMode) {
    expect_all_differ<SetMode>(
        {},
        {[](SetMode& c) { c.mode = Mode::parallel; }, [](SetMode& c) { c.instance_id = "x"; },
         [](SetMode& c) { c.configuration = "{}"; }, [](SetMode& c) { c.context_snapshot = "{}"; },
         [](SetMode& c) { c.transition_duration_ms = 1; }, [](SetMode& c) { c.success = false; },
         [](SetMode& c) { c.error_message = "e"; }});
}

TEST(Command, FingerprintSeesEveryFieldOfAResponse) {
    expect_all_differ<RecordResponse>(response(),
                                      {[](RecordResponse& c) { c.record.chat_id = "d"; },
                                       [](RecordResponse& c) { c.record.final.confidence = 0.0; },
                                       [](RecordResponse& c) { c.record.sources.emplace_back(); },
                                       [](RecordResponse& c) { c.record.local_provider = "l"; }});
}

TEST(Command, FingerprintSeesTheExpectedVersion) {
    Command one = command(put());
    Command other = one;
    other.expected_version = 0;
    EXPECT_NE(one.fingerprint(), other.fingerprint());
}

TEST(Command, FingerprintIsNotThatOfAnotherKind) {
    EXPECT_NE(command(MergePatchContext{"k", "{}"}).fingerprint(),
              command(JsonPatchContext{"k", "{}"}).fingerprint());
}

struct Refused {
    const char* field;
    Errc code;
    Command command;
};

std::vector<Refused> refused() {
    std::vector<Refused> all;
    const auto add = [&all](const char* field, Errc code, CommandBody body) {
        all.push_back({field, code, command(std::move(body))});
    };
    const auto text = [](std::int64_t bytes) {
        return std::string(static_cast<std::size_t>(bytes), 'x');
    };
    PutContext bad = put();
    bad.key = "";
    add("contextKey", Errc::missing_field, bad);
    bad.key = "a\nb";
    add("contextKey", Errc::invalid_field, bad);
    bad.key = text(limits::context_key_bytes_max + 1);
    add("contextKey", Errc::too_large, bad);
    bad = put();
    bad.data = "[1]";
    add("data", Errc::invalid_field, bad);
    bad.data = "{\"a\":\"" + text(limits::document_bytes_max) + "\"}";
    add("data", Errc::too_large, bad);
    bad = put();
    bad.tags = std::vector<std::string>(limits::context_tags_max + 1, "t");
    add("tags", Errc::invalid_field, bad);
    bad.tags = {{text(limits::context_tag_bytes_max + 1)}};
    add("tags", Errc::too_large, bad);
    add("patch", Errc::invalid_field, MergePatchContext{"k", "[]"});
    add("patch", Errc::invalid_field, JsonPatchContext{"k", "{}"});
    add("version", Errc::invalid_field, RestoreContext{"k", 0, nullptr});
    add("value", Errc::missing_field,
        ResolveConflict{"1.1", ResolveConflict::Choice::value, std::nullopt});
    SetMode mode;
    mode.transition_duration_ms = -1;
    add("transitionDuration", Errc::invalid_field, mode);
    mode = {};
    mode.configuration = "[]";
    add("configuration", Errc::invalid_field, mode);
    RecordResponse bad_response = response();
    bad_response.record.final.confidence = 1.5;
    add("confidence", Errc::invalid_field, bad_response);
    bad_response = response();
    bad_response.record.mode = "loud";
    add("mode", Errc::invalid_field, bad_response);
    bad_response = response();
    bad_response.record.sources.resize(limits::response_sources_max + 1);
    add("sources", Errc::invalid_field, bad_response);
    Refused nobody{"instanceId", Errc::missing_field, command(put())};
    nobody.command.instance_id.clear();
    all.push_back(nobody);
    Refused nameless{"id", Errc::missing_field, command(put())};
    nameless.command.operation_id.clear();
    all.push_back(nameless);
    return all;
}

TEST(Command, RefusalsNameTheFieldAndTheReason) {
    for (const Refused& bad : refused()) {
        const Status status = validate(bad.command);
        ASSERT_FALSE(status) << bad.field;
        EXPECT_EQ(status.error().code, bad.code) << bad.field;
        EXPECT_TRUE(status.error().detail.starts_with(std::string(bad.field) + ":"))
            << status.error().detail;
    }
}

TEST(Command, WhatIsWithinTheLimitsIsAccepted) {
    PutContext largest = put();
    largest.key = std::string(static_cast<std::size_t>(limits::context_key_bytes_max), 'k');
    largest.tags = std::vector<std::string>(
        limits::context_tags_max,
        std::string(static_cast<std::size_t>(limits::context_tag_bytes_max), 't'));
    EXPECT_TRUE(validate(command(largest)));
    EXPECT_TRUE(validate(command(response())));
    EXPECT_TRUE(validate(command(SetMode{})));
}

}  // namespace
}  // namespace dyad
