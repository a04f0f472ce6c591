// The checker, fed with histories made by hand: one that is right, and for each point one that
// breaks it and nothing else.
#include "sim/story.hpp"

#include <functional>

#include <gtest/gtest.h>

namespace dyad::sim {
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

TEST(Checker, WhatARestoreTookAwayIsNotMissed) {
    Story story;
    story.put(R"({"n":1})");
    story.put(R"({"n":2})", 1);
    story.entry(2).lost_us = story.tick();
    story.history.restores.push_back(story.entry(2).lost_us);
    EXPECT_EQ(story.points(), Points{});
}

namespace {

// Acquires "r" for a second, or does what `change` makes of it.
struct ClaimStory : Story {
    Claim claim(const char* instance = "u0-i0", ClaimAction action = ClaimAction::granted,
                const std::function<void(ClaimChange&)>& change = {}) {
        const Offset offset = head().offset + 1;
        ClaimChange made;
        made.action = action;
        made.claim = last;
        made.claim.resource = "r";
        made.claim.instance_id = instance;
        if (action == ClaimAction::granted) made.claim.token = offset;
        if (action == ClaimAction::granted) made.claim.granted_at_ms = timestamp_ms;
        if (action != ClaimAction::released) made.claim.renewed_at_ms = timestamp_ms;
        if (action != ClaimAction::released) made.claim.expires_at_ms = timestamp_ms + 1'000;
        if (change) change(made);
        Operation operation;
        operation.user_id = kUser;
        operation.command.instance_id = instance;
        operation.command.operation_id = "op" + std::to_string(offset);
        if (action == ClaimAction::released)
            operation.command.body = ReleaseClaim{"r", made.claim.token};
        else
            operation.command.body =
                AcquireClaim{.resource = "r", .ttl_ms = 1'000, .note = {}, .session = {}};
        operation.submissions = 1;
        operation.invoked_us = tick();
        append_change(operation.command, Change(made), timestamp_ms);
        operation.answers.push_back({{0, 1}, tick(), Reply{.position = head().position()}});
        history.operations.push_back(std::move(operation));
        return last = made.claim;
    }
    void expire() {
        Command command;
        command.instance_id = kServerInstance;
        command.operation_id = "end" + std::to_string(head().offset);
        append_change(command, Change(ClaimChange{last, ClaimAction::expired}), timestamp_ms);
    }
    void write_under(Token token) {
        put(R"({"n":1})");
        history.operations.back().command.fence = Fence{"r", token};
    }
    Claim last;
};

}  // namespace

TEST(Checker, Point17FindsNothingWrongWithClaimsThatAreKept) {
    ClaimStory story;
    story.claim();
    story.timestamp_ms += 500;
    story.claim("u0-i0", ClaimAction::renewed);
    story.write_under(1);
    story.claim("u0-i0", ClaimAction::released);
    story.claim("u0-i1");
    story.timestamp_ms += 1'000;
    story.expire();
    story.claim("u0-i0");
    story.timestamp_ms += 1'000;
    story.claim("u0-i1");
    EXPECT_EQ(story.points(), Points{});
}

TEST(Checker, Point17SeesAClaimThatTwoAreGranted) {
    ClaimStory story;
    story.claim();
    story.timestamp_ms += 999;
    story.claim("u0-i1");
    EXPECT_EQ(story.points(), Points{17});
}

TEST(Checker, Point17SeesAWriteUnderAClaimThatIsOver) {
    for (const int way : {0, 1, 2, 3}) {
        ClaimStory story;
        story.history.clocks_are_right = true;
        story.claim();
        if (way == 0) story.claim("u0-i0", ClaimAction::released);
        if (way == 1) story.timestamp_ms += 1'000;
        if (way == 2) {
            story.timestamp_ms += 1'000;
            story.claim("u0-i1");
        }
        story.write_under(way == 3 ? 7 : 1);
        EXPECT_EQ(story.points(), Points{17}) << way;
    }
}

TEST(Checker, Point17SeesAClaimThatEndsEarly) {
    ClaimStory story;
    story.claim();
    story.timestamp_ms += 999;
    story.expire();
    EXPECT_EQ(story.points(), Points{17});
}

TEST(Checker, Point17SeesAClaimThatIsStillThereAtTheEnd) {
    ClaimStory story;
    story.claim();
    story.history.clocks_are_right = true;
    story.history.quiet_us = story.tick() + 1'500'000;
    EXPECT_EQ(story.points(), Points{});
    story.history.quiet_us += 1'000'000;
    EXPECT_EQ(story.points(), Points{17});
}

TEST(Checker, Point17SeesARenewalThatForgets) {
    const std::function<void(ClaimChange&)> ways[] = {
        [](ClaimChange& change) { change.claim.token += 1; },
        [](ClaimChange& change) { change.claim.expires_at_ms -= 500; },
        [](ClaimChange& change) { change.claim.granted_at_ms += 1; },
        [](ClaimChange& change) { change.action = ClaimAction::granted; },
    };
    for (const auto& way : ways) {
        ClaimStory story;
        story.claim();
        story.timestamp_ms += 500;
        story.claim("u0-i0", ClaimAction::renewed, way);
        EXPECT_EQ(story.points(), Points{17});
    }
}

TEST(Checker, Point17SeesTheEndOfWhatNobodyHolds) {
    ClaimStory story;
    story.claim();
    story.claim("u0-i0", ClaimAction::released);
    story.timestamp_ms += 1'000;
    story.expire();
    EXPECT_EQ(story.points(), Points{17});
}

}  // namespace dyad::sim
