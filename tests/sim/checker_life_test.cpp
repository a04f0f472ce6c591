// The checker's points about what ends and who is private, fed with histories made by hand.
#include "sim/story.hpp"

#include <gtest/gtest.h>

namespace dyad::sim {
namespace {

Lifetimes lives() {
    return {.judged = true,
            .punctual = true,
            .event_ttl_ms = 10,
            .context_ttl_ms = 10,
            .early_ms = 1,
            .late_ms = 5};
}

}  // namespace

TEST(Checker, Point13SeesAnEventThatWentTooEarly) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})");
    story.history.lifetimes = lives();
    story.entry(1).expired_us = story.entry(1).journaled_us + 10'000;
    EXPECT_EQ(story.points(), Points{});
    story.entry(1).expired_us = story.entry(1).journaled_us + 8'000;
    EXPECT_EQ(story.points(), Points{13});
}

TEST(Checker, Point13SeesAnEventThatStayed) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})");
    story.history.lifetimes = lives();
    story.history.quiet_us = story.entry(1).journaled_us + 14'000;
    EXPECT_EQ(story.points(), Points{});
    story.history.quiet_us = story.entry(1).journaled_us + 16'000;
    EXPECT_EQ(story.points(), Points{13});
}

TEST(Checker, Point13SeesAContextThatExpiredTooEarlyOrStayed) {
    History history;
    history.lifetimes = lives();
    history.lifetimes.event_ttl_ms = 1'000'000;
    const auto add = [&](std::int64_t at_us, ContextAction action) {
        auto context = std::make_shared<Context>();
        context->key = "k";
        context->expires_at_ms = 1;
        auto batch = std::make_shared<EventBatch>();
        batch->first = history.logs[kUser].size() + 1;
        history.logs[kUser].push_back({batch, ContextChange{context, action}, at_us});
    };
    const auto violations = [&] {
        Violations found;
        check_lifetimes(Evidence(history), found);
        return found.size();
    };
    add(0, ContextAction::created);
    history.quiet_us = 14'000;
    EXPECT_EQ(violations(), 0U);
    history.quiet_us = 16'000;
    EXPECT_EQ(violations(), 1U);
    history.quiet_us = kNever;
    add(8'000, ContextAction::expired);
    EXPECT_EQ(violations(), 1U);
    history.logs[kUser].back().journaled_us = 9'500;
    EXPECT_EQ(violations(), 0U);
}

// A mode that was asked for by the instance of a stream, and was refused.
void refuse_privacy(Story& story, const Stream& stream) {
    Operation ask;
    ask.user_id = kUser;
    ask.command.instance_id = stream.request.instance_id;
    ask.command.operation_id = "ask";
    ask.command.body = SetMode{.mode = Mode::inspired};
    ask.submitted.push_back({stream.process, story.tick(), 1});
    ask.answers.push_back(
        {stream.process, story.tick(), Rejection{fail(Errc::storage_unavailable), nullptr}});
    story.history.operations.push_back(std::move(ask));
}

TEST(Checker, Point14SeesAPushToWhoAskedForPrivacy) {
    Story story;
    Stream& stream = story.attach();
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    refuse_privacy(story, stream);
    EXPECT_EQ(story.points(), Points{});
    story.put(R"({"n":2})", 1);
    story.deliver(stream, 2);
    EXPECT_EQ(story.points(), Points{14});
}

TEST(Checker, Point14SeesAWriteOfWhoAskedForPrivacy) {
    Story story;
    Stream& stream = story.attach();
    stream.request.instance_id = "u0-i0";
    refuse_privacy(story, stream);
    story.put(R"({"n":1})");
    story.history.operations.back().submitted.push_back({stream.process, story.tick(), 2});
    EXPECT_EQ(story.points(), Points{14});
    story.history.operations.back().submitted.front().order = 0;
    EXPECT_EQ(story.points(), Points{}) << "it was sent before";
}

ForeignWrite written_beside(Story& story, const char* data, Version version) {
    auto context = std::make_shared<Context>();
    context->key = "k";
    context->data = data;
    context->version = version;
    story.history.has_documents = true;
    return {kUser, context, story.tick()};
}

void adopt(Story& story, const ForeignWrite& write, Version version) {
    Command command;
    command.instance_id = kForeignInstance;
    command.operation_id = "adopt:" + std::to_string(version);
    auto adopted = std::make_shared<Context>(*write.context);
    adopted->version = version;
    ContextChange change;
    change.previous_version = version - 1;
    change.context = adopted;
    story.append_change(command, change, ++story.timestamp_ms);
    story.history.documents = {{kUser, adopted, true}};
}

TEST(Checker, Point16SeesWhatBecameOfAForeignWrite) {
    {
        Story story;
        story.history.foreign = {written_beside(story, R"({"n":7})", 1)};
        adopt(story, story.history.foreign[0], 1);
        EXPECT_FALSE(story.points().contains(16));
        adopt(story, story.history.foreign[0], 2);
        EXPECT_TRUE(story.points().contains(16)) << "twice";
    }
    {
        Story story;
        story.history.foreign = {written_beside(story, R"({"n":7})", 1)};
        EXPECT_TRUE(story.points().contains(16)) << "never";
        story.history.foreign[0].gone_us = story.tick();
        EXPECT_FALSE(story.points().contains(16)) << "another foreign one took its place";
        story.history.foreign[0].overwritten = true;
        EXPECT_TRUE(story.points().contains(16)) << "unseen";
    }
    {
        Story story;
        story.history.foreign = {written_beside(story, R"({"n":7})", 90)};
        adopt(story, story.history.foreign[0], 1);
        EXPECT_TRUE(story.points().contains(16)) << "with a lower version than its writer's";
    }
    {
        Story story;
        story.put(R"({"n":1})");
        story.history.has_documents = true;
        EXPECT_TRUE(story.points().contains(16)) << "there is no document";
        story.history.documents = {{kUser, story.context, false}};
        EXPECT_TRUE(story.points().contains(16)) << "it is not what the log made of it";
        story.history.documents[0].verifies = true;
        EXPECT_FALSE(story.points().contains(16));
    }
}

}  // namespace dyad::sim
