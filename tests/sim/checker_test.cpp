// The checker, fed with histories made by hand: one that is right, and for each point one that
// breaks it and nothing else.
#include "sim/checker.hpp"

#include "sim/plain_form.hpp"

#include <set>

#include <gtest/gtest.h>

namespace dyad::sim {
namespace {

constexpr const char* kUser = "u0";

// Writes a history event by event, as one node and one client would have made it.
class Story {
  public:
    Story() {
        head_ = {.epoch = 7, .offset = 0, .hash = genesis_hash(kUser, 7), .timestamp_ms = 0};
    }

    // Puts `data` under "k", acknowledges it and delivers it, all one after the other.
    void put(const std::string& data, std::optional<Version> expected = std::nullopt) {
        Operation operation;
        operation.user_id = kUser;
        operation.command.instance_id = "u0-i0";
        operation.command.operation_id = "op" + std::to_string(head_.offset + 1);
        operation.command.expected_version = expected;
        PutContext put;
        put.key = "k";
        put.data = data;
        put.force = !expected.has_value();
        operation.command.body = put;
        operation.submissions = 1;
        operation.invoked_us = tick();
        append(operation.command, data);
        operation.answers.push_back({{0, 1}, tick(), Reply{.position = head_.position()}});
        history.operations.push_back(std::move(operation));
    }
    // The event of a command, durable now.
    void append(const Command& command, const std::string& data) {
        auto next = std::make_shared<Context>();
        next->key = "k";
        next->data = data;
        next->version = ++version_;
        next->offset = head_.offset + 1;
        ContextChange change;
        change.previous_version = version_ - 1;
        change.context = next;
        context = next;
        append_change(command, Change(change), ++timestamp_ms);
    }
    void append_change(const Command& command, const Change& change, std::int64_t time_ms) {
        auto batch = std::make_shared<EventBatch>();
        const std::string text = encode_change(change);
        const std::string scope = scope_of(change);
        append_event(*batch, head_,
                     {.kind = kind_of(change),
                      .scope = scope,
                      .source_instance_id = command.instance_id,
                      .operation_id = command.operation_id,
                      .data = text,
                      .timestamp_ms = time_ms});
        history.logs[kUser].push_back({batch, change, tick(), kNever});
    }
    Stream& attach() {
        history.streams.push_back(std::make_unique<Stream>());
        Stream& stream = *history.streams.back();
        stream.request.user_id = kUser;
        stream.request.instance_id = "u0-i1";
        stream.request.dialect = core::Dialect::negotiated;
        stream.items.push_back({tick(), Stream::Ready{head_.position()}});
        return stream;
    }
    void deliver(Stream& stream, Offset offset) {
        const LogEntry& entry = history.logs[kUser].at(offset - 1);
        const bool plain = stream.request.dialect == core::Dialect::plain;
        stream.items.push_back(
            {tick(), Stream::Events{
                         offset, offset, {plain ? plain_form(*entry.event) : entry.event->texts}}});
    }
    Read& read() {
        Read read;
        read.user_id = kUser;
        read.started_us = tick();
        read.done_us = tick();
        read.position = head_.position();
        auto snapshot = std::make_shared<core::Snapshot>();
        snapshot->position = read.position;
        if (context) snapshot->contexts.push_back(context);
        read.snapshot = snapshot;
        history.reads.push_back(std::move(read));
        return history.reads.back();
    }
    LogEntry& entry(Offset offset) { return history.logs[kUser].at(offset - 1); }
    const LogHead& head() const { return head_; }
    std::int64_t tick() { return now_us_ += 10; }

    std::set<int> points() const {
        std::set<int> points;
        for (const Violation& violation : check(history))
            points.insert(violation.point);
        return points;
    }

    History history;
    ContextPtr context;
    std::int64_t timestamp_ms = 1'000;

  private:
    LogHead head_;
    Version version_ = 0;
    std::int64_t now_us_ = 0;
};

using Points = std::set<int>;

}  // namespace

TEST(Checker, FindsNothingWrongWithARightHistory) {
    Story story;
    story.put(R"({"n":1})");
    Stream& stream = story.attach();
    story.put(R"({"n":2})", 1);
    story.deliver(stream, 2);
    story.put(R"({"n":3})", 2);
    story.deliver(stream, 3);
    story.read();
    EXPECT_EQ(story.points(), Points{});
}

TEST(Checker, Point1SeesAnAcknowledgedOperationThatIsNotInTheLog) {
    Story story;
    story.put(R"({"n":1})");
    std::get<Reply>(story.history.operations[0].answers[0].result).position.offset = 2;
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point1SeesAnOperationThatIsInTheLogTwice) {
    Story story;
    story.put(R"({"n":1})");
    story.append(story.history.operations[0].command, R"({"n":1})");
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point1SeesAnotherContentThanWasSent) {
    Story story;
    story.put(R"({"n":1})");
    std::get<PutContext>(story.history.operations[0].command.body).data = R"({"n":2})";
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point1SeesAnEventThatNobodyAskedFor) {
    Story story;
    story.put(R"({"n":1})");
    story.history.operations.clear();
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point1SeesARejectedOperationInTheLog) {
    Story story;
    story.put(R"({"n":1})");
    story.history.operations[0].answers[0].result = Rejection{fail(Errc::too_large), nullptr};
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point1SeesARepeatThatWasRejected) {
    Story story;
    story.put(R"({"n":1})");
    Operation& operation = story.history.operations[0];
    operation.submissions = 2;
    operation.submitted.resize(2);
    operation.submitted[1].at_us = story.tick();
    operation.answers.push_back({operation.answers[0].process, story.tick(),
                                 Rejection{fail(Errc::version_conflict), nullptr}, 1});
    EXPECT_TRUE(story.points().contains(1));
}

TEST(Checker, Point1SeesAnOperationIdThatWasTakenForAnother) {
    Story story;
    story.put(R"({"n":1})");
    story.history.operations.push_back(story.history.operations[0]);
    story.history.operations.back().misuse = true;
    EXPECT_EQ(story.points(), Points{1});
}

TEST(Checker, Point2SeesAHole) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    story.history.logs[kUser].erase(story.history.logs[kUser].begin());
    EXPECT_TRUE(story.points().contains(2));
}

TEST(Checker, Point3SeesASkippedEvent) {
    Story story;
    Stream& stream = story.attach();
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    story.deliver(stream, 2);
    EXPECT_EQ(story.points(), Points{3});
}

TEST(Checker, Point3SeesAnEventThatComesAgain) {
    Story story;
    Stream& stream = story.attach();
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    story.deliver(stream, 1);
    EXPECT_EQ(story.points(), Points{3});
}

TEST(Checker, Point3SeesAnEventThatTheLogNeverHad) {
    Story story;
    Stream& stream = story.attach();
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    auto& run = std::get<Stream::Events>(stream.items.back().what);
    run.texts[0].replace(run.texts[0].find("\"n\":1"), 5, "\"n\":9");
    EXPECT_EQ(story.points(), Points{3});
}

TEST(Checker, Point3SeesEventsBeforeThePromisedSnapshot) {
    Story story;
    Stream& stream = story.attach();
    stream.request.snapshot = true;
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    EXPECT_EQ(story.points(), Points{3});
}

TEST(Checker, Point3SeesAPlainClientsOwnWriteComeBack) {
    Story story;
    Stream& stream = story.attach();
    stream.request.dialect = core::Dialect::plain;
    stream.request.instance_id = "u0-i0";
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    EXPECT_EQ(story.points(), Points{}) << "written elsewhere by the same instance";
    story.history.operations[0].submitted.push_back({stream.process, 0, 1, &stream});
    EXPECT_EQ(story.points(), Points{3});
}

TEST(Checker, Point3SeesTheSameInstancesOtherWriteLeftOut) {
    Story story;
    Stream& stream = story.attach();
    stream.request.dialect = core::Dialect::plain;
    stream.request.instance_id = "u0-i0";
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    stream.items.push_back({story.tick(), Stream::Events{1, 2, {}}});
    EXPECT_EQ(story.points(), Points{3});
    for (Operation& operation : story.history.operations)
        operation.submitted.push_back({stream.process, 0, 1, &stream});
    EXPECT_EQ(story.points(), Points{});
}

TEST(Checker, Point4SeesWhatBelongsToAnotherUser) {
    Story story;
    story.put(R"({"by":"@u1@"})");
    EXPECT_EQ(story.points(), Points{4});
}

TEST(Checker, Point5SeesAnExpectedVersionThatWasNotTheStoredOne) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    story.history.operations[1].command.expected_version = 7;
    EXPECT_EQ(story.points(), Points{5});
}

TEST(Checker, Point6SeesAStateThatIsNotTheFoldOfTheLog) {
    Story story;
    story.put(R"({"n":1})");
    auto wrong = std::make_shared<Context>(*story.context);
    wrong->data = R"({"n":8})";
    story.context = wrong;
    story.read();
    EXPECT_EQ(story.points(), Points{6});
}

TEST(Checker, Point6SeesASnapshotOfAnotherOffset) {
    Story story;
    story.put(R"({"n":1})");
    const ContextPtr old = story.context;
    story.put(R"({"n":2})", 1);
    story.context = old;
    story.read();
    EXPECT_EQ(story.points(), Points{6});
}

TEST(Checker, Point7SeesAReadOfWhatWasBeforeAnAcknowledgement) {
    Story story;
    story.put(R"({"n":1})");
    const Read early = story.read();
    story.put(R"({"n":2})", 1);
    Read late = early;
    late.started_us = story.tick();
    late.done_us = story.tick();
    story.history.reads.push_back(late);
    EXPECT_EQ(story.points(), Points{7});
}

TEST(Checker, Point7SeesARejectionForWhatWasNotSo) {
    Story story;
    story.put(R"({"n":1})");
    Operation operation = story.history.operations[0];
    operation.command.operation_id = "other";
    operation.command.expected_version = 1;
    std::get<PutContext>(operation.command.body).force = false;
    operation.invoked_us = story.tick();
    operation.answers[0].at_us = story.tick();
    operation.answers[0].result = Rejection{fail(Errc::version_conflict), nullptr};
    story.history.operations.push_back(operation);
    EXPECT_EQ(story.points(), Points{7});
}

TEST(Checker, Point8SeesAChangedEvent) {
    Story story;
    story.put(R"({"n":1})");
    auto damaged = std::make_shared<EventBatch>(*story.entry(1).event);
    damaged->entries[0].salt[0] ^= 1;
    story.entry(1).event = damaged;
    EXPECT_EQ(story.points(), Points{8});
}

TEST(Checker, Point9SeesTimeGoBack) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    auto earlier = std::make_shared<EventBatch>(*story.entry(1).event);
    earlier->entries[0].timestamp_ms += 60'000;
    story.entry(1).event = earlier;
    EXPECT_TRUE(story.points().contains(9));
}

TEST(Checker, Point10SeesAClientThatDidNotHearOfTheEnd) {
    Story story;
    story.put(R"({"n":1})");
    Replica replica{.user_id = kUser, .instance_id = "u0-i1"};
    replica.dialect = core::Dialect::negotiated;
    replica.connected = true;
    story.history.replicas.push_back(replica);
    EXPECT_EQ(story.points(), Points{10});
}

TEST(Checker, Point10SeesAClientWithAnotherState) {
    Story story;
    story.put(R"({"n":1})");
    Replica replica{.user_id = kUser, .instance_id = "u0-i1"};
    replica.dialect = core::Dialect::negotiated;
    replica.connected = replica.complete = true;
    replica.position = story.head().position();
    replica.contexts["k"] = {1, R"({"n":1})"};
    story.history.replicas.push_back(replica);
    EXPECT_EQ(story.points(), Points{});
    story.history.replicas[0].contexts["k"].second = R"({"n":5})";
    EXPECT_EQ(story.points(), Points{10});
}

TEST(Checker, Point10SeesAnOperationWithoutAnAnswer) {
    Story story;
    story.put(R"({"n":1})");
    story.history.operations[0].awaited = true;
    EXPECT_EQ(story.points(), Points{10});
}

TEST(Checker, Point10SeesANodeThatStoppedEarly) {
    Story story;
    story.put(R"({"n":1})");
    story.read().final = true;
    story.put(R"({"n":2})", 1);
    EXPECT_EQ(story.points(), Points{10});
}

TEST(Checker, Point11SeesAnAcknowledgementBeforeTheJournal) {
    Story story;
    story.put(R"({"n":1})");
    story.entry(1).journaled_us = story.tick();
    EXPECT_EQ(story.points(), Points{11});
}

TEST(Checker, Point11SeesADeliveryBeforeTheJournal) {
    Story story;
    Stream& stream = story.attach();
    story.put(R"({"n":1})");
    story.deliver(stream, 1);
    story.history.operations[0].answers[0].at_us = kNever;
    story.entry(1).journaled_us = story.tick();
    EXPECT_EQ(story.points(), Points{11});
}

TEST(Checker, Point12SeesALaterOperationBeforeAnEarlierOne) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})");
    std::swap(story.history.operations[0].invoked_us, story.history.operations[1].invoked_us);
    std::swap(story.history.operations[0].answers[0].at_us,
              story.history.operations[1].answers[0].at_us);
    for (Offset offset : {1, 2})
        story.entry(offset).journaled_us = 0;
    EXPECT_EQ(story.points(), Points{12});
}

Lifetimes lives() {
    return {.judged = true,
            .punctual = true,
            .event_ttl_ms = 10,
            .context_ttl_ms = 10,
            .early_ms = 1,
            .late_ms = 5};
}

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

TEST(Checker, WhatARestoreTookAwayIsNotMissed) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    story.entry(2).lost_us = story.tick();
    story.history.restores.push_back(story.entry(2).lost_us);
    EXPECT_EQ(story.points(), Points{});
}

}  // namespace dyad::sim
