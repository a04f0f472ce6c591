// The ring of recent events, and where a session goes on that names a position.
#include "base/limits.hpp"
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::Call;
using test::CoreRig;
using test::RecordingPeer;
using test::reply_in;

// `count` events after `first` - 1, written by "a" and "b" in turn, their data so large.
EventBatchPtr batch_of(Offset first, int count, std::size_t data_bytes = 2) {
    auto batch = std::make_shared<EventBatch>();
    LogHead head{.epoch = 1, .offset = first - 1};
    for (int i = 0; i < count; ++i) {
        const std::string data = "{\"x\":\"" + std::string(data_bytes, 'x') + "\"}";
        append_event(*batch, head,
                     {.kind = EventKind::mcp_tool_executed,
                      .scope = "mcp",
                      .source_instance_id = (first + static_cast<Offset>(i)) % 2 == 0 ? "a" : "b",
                      .operation_id = "o",
                      .data = data});
    }
    return batch;
}

std::string plain(Block& block, Offset from, Offset to, const std::string& skip) {
    const test::OffsetRenderer renderer;
    std::vector<std::string_view> pieces;
    OwnWrites skipped;  // the events of one instance
    for (Offset offset = block.batch().first; offset <= block.batch().last(); ++offset)
        if (skip == (offset % 2 == 0 ? "a" : "b")) skipped.add(offset);
    EXPECT_TRUE(
        block.plain_pieces(renderer, "ada", from, to, skip.empty() ? nullptr : &skipped, pieces));
    std::string text;
    for (const std::string_view piece : pieces) {
        EXPECT_FALSE(piece.empty());
        text += "[" + std::string(piece) + "]";
    }
    return text;
}

}  // namespace

TEST(Feed, FindsTheBlockOfEveryOffsetItHas) {
    FeedBudget budget(limits::feeds_bytes_max);
    Feed feed(budget);
    EXPECT_FALSE(feed.find(1));
    Offset next = 5;
    for (const int count : {1, 3, 1, 7, 2}) {
        feed.push(batch_of(next, count));
        next += static_cast<Offset>(count);
    }
    EXPECT_EQ(feed.first(), 5u);
    EXPECT_EQ(feed.last(), 18u);
    for (Offset offset = 5; offset <= 18; ++offset) {
        const Block* const block = feed.find(offset);
        ASSERT_NE(block, nullptr) << offset;
        EXPECT_LE(block->batch().first, offset);
        EXPECT_GE(block->batch().last(), offset);
    }
    EXPECT_FALSE(feed.find(4));
    EXPECT_FALSE(feed.find(19));
    feed.clear();
    EXPECT_TRUE(feed.empty());
    feed.push(batch_of(100, 1));  // after it was cleared it begins anywhere
    EXPECT_TRUE(feed.find(100));
}

TEST(Feed, KeepsAtMostItsBytesAndEventsAndAlwaysTheNewestBlock) {
    FeedBudget budget(limits::feeds_bytes_max);
    Feed feed(budget);
    // Kept twice: as it is sent to negotiated clients, and as plain frames.
    const std::size_t block_bytes = limits::feed_bytes_max / 8;
    for (Offset offset = 1; offset <= 10; ++offset)
        feed.push(batch_of(offset, 1, block_bytes));
    EXPECT_EQ(feed.last(), 10u);
    EXPECT_EQ(feed.first(), 8u);
    feed.push(batch_of(11, 1, 2 * limits::feed_bytes_max));
    EXPECT_EQ(feed.first(), 11u);
    feed.push(batch_of(12, 1));
    EXPECT_EQ(feed.first(), 12u);
    feed.push(batch_of(13, limits::feed_events_max));
    EXPECT_EQ(feed.first(), 13u);
    feed.push(batch_of(feed.last() + 1, 1));
    EXPECT_EQ(feed.first(), feed.last());
}

TEST(Feed, BeyondTheBudgetThoseWithMoreThanAnEvenPartGiveWay) {
    constexpr std::size_t kText = 1000;
    const std::size_t block_bytes =  // texts are kept twice
        2 * batch_of(10, 1, kText)->texts.size() + sizeof(EventEntry);
    FeedBudget budget(10 * block_bytes);
    Feed small(budget);
    small.push(batch_of(1, 1, kText));
    small.push(batch_of(2, 1, kText));
    auto large = std::make_unique<Feed>(budget);
    for (Offset offset = 1; offset <= 8; ++offset)
        large->push(batch_of(offset, 1, kText));
    EXPECT_EQ(large->first(), 1u);  // ten in all: just within
    large->push(batch_of(9, 1, kText));
    EXPECT_EQ(large->first(), 2u);
    for (Offset offset = 3; offset <= 5; ++offset)  // not more than an even part: the others must
        small.push(batch_of(offset, 1, kText));
    EXPECT_EQ(small.first(), 1u);
    large->push(batch_of(10, 1, kText));
    EXPECT_EQ(large->first(), 6u);
    large->push(batch_of(11, 1, 20 * kText));
    EXPECT_EQ(large->first(), 11u);  // the newest stays
    small.push(batch_of(6, 1, kText));
    EXPECT_EQ(small.first(), 2u);
    large.reset();  // what a feed kept is free when it goes
    for (Offset offset = 7; offset <= 11; ++offset)
        small.push(batch_of(offset, 1, kText));
    EXPECT_EQ(small.first(), 2u);
    small.push(batch_of(12, 1, kText));
    EXPECT_EQ(small.first(), 3u);
}

TEST(Feed, DropsTheEventsThatAreOlderAlsoWithinABlock) {
    const auto timed = [](Offset first, std::vector<std::int64_t> times) {
        auto batch = std::make_shared<EventBatch>(*batch_of(first, static_cast<int>(times.size())));
        for (std::size_t i = 0; i < times.size(); ++i)
            batch->entries[i].timestamp_ms = times[i];
        return batch;
    };
    for (std::int64_t before = 9; before <= 51; ++before) {
        FeedBudget budget(1'000'000);
        Feed feed(budget);
        feed.push(timed(1, {10, 10, 20}));
        feed.push(timed(4, {30}));
        feed.push(timed(5, {30, 40, 50}));
        const std::vector<std::int64_t> all{10, 10, 20, 30, 30, 40, 50};
        feed.drop_before(before);
        for (Offset offset = 1; offset <= all.size(); ++offset) {
            Block* const block = feed.find(offset);
            ASSERT_EQ(block != nullptr, all[offset - 1] >= before) << offset << ", " << before;
            if (block == nullptr) continue;
            const std::string text(block->batch().text(offset));
            EXPECT_TRUE(text.starts_with("{\"offset\":" + std::to_string(offset) + ",")) << text;
            EXPECT_EQ(plain(*block, offset, offset, ""), "[" + std::to_string(offset) + " ]");
        }
        if (feed.empty()) {
            feed.push(timed(8, {60}));
        } else {
            EXPECT_EQ(feed.last(), 7U);
        }
    }
}

TEST(Block, LeavesOutTheFramesOfOneSource) {
    Block block(batch_of(1, 5));  // by b a b a b
    EXPECT_EQ(plain(block, 1, 5, ""), "[1 2 3 4 5 ]");
    EXPECT_EQ(plain(block, 1, 5, "a"), "[1 ][3 ][5 ]");
    EXPECT_EQ(plain(block, 1, 5, "b"), "[2 ][4 ]");
    EXPECT_EQ(plain(block, 2, 3, "b"), "[2 ]");
    EXPECT_EQ(plain(block, 3, 3, "b"), "");
    EXPECT_EQ(plain(block, 4, 5, "c"), "[4 5 ]");
}

// Resuming: {epoch, offset, hash}.

TEST(Resume, FromTheEndNothingComesBeforeTheNextEvent) {
    CoreRig rig;
    rig.grow(3);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(rig.position_at(3)));
    EXPECT_EQ(peer.start, rig.position_at(3));
    EXPECT_TRUE(peer.runs.empty() && peer.resets.empty());
    rig.grow(1);
    EXPECT_EQ(peer.ranges(), "4-4");
}

TEST(Resume, FromBehindTheEventsAfterItComeFromMemory) {
    CoreRig rig;
    rig.grow(5);
    const int reads = rig.node().gated.count(Call::read);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(rig.position_at(2)));
    EXPECT_EQ(peer.start, rig.position_at(2));
    EXPECT_EQ(peer.ranges(), "3-5");
    EXPECT_TRUE(peer.resets.empty());
    EXPECT_EQ(rig.node().gated.count(Call::read), reads);
}

TEST(Resume, FromBehindTheEventsAfterItComeFromTheLogWhereMemoryHasThemNoMore) {
    CoreRig rig;
    rig.grow(5);
    rig.restart(0);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(rig.position_at(2)));
    EXPECT_EQ(peer.start, rig.position_at(2));
    EXPECT_EQ(peer.ranges(), "3-5");
    EXPECT_TRUE(peer.resets.empty());
    EXPECT_GT(rig.node().gated.count(Call::read), 0);
}

TEST(Resume, FromOffsetZeroTheWholeLogComes) {
    CoreRig rig;
    rig.grow(3);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(Position{}));
    EXPECT_EQ(peer.ranges(), "1-3");
    rig.expire_up_to(1);
    rig.restart(0);
    RecordingPeer later;
    rig.attach(later, CoreRig::resuming(Position{}));
    EXPECT_TRUE(later.runs.empty());
    EXPECT_EQ(later.resets.size(), 1u) << "the beginning is gone";
}

// Every position that is none of this log's: a reset with a snapshot, never a skipped event.
TEST(Resume, FromAPositionThatIsNoneOfTheLogASnapshotComes) {
    const auto other_epoch = [](Position p) {
        p.epoch ^= 1;
        return p;
    };
    const auto other_hash = [](Position p) {
        p.hash[0] ^= 1;
        return p;
    };
    const auto beyond = [](Position p) {
        p.offset += 100;
        return p;
    };
    for (const bool from_memory : {true, false}) {
        for (const Offset at : {2, 5}) {  // behind, and at the end
            for (const auto& change : std::initializer_list<std::function<Position(Position)>>{
                     other_epoch, other_hash, beyond}) {
                CoreRig rig;
                rig.grow(5);
                if (!from_memory) rig.restart(0);
                RecordingPeer peer;
                rig.attach(peer, CoreRig::resuming(change(rig.position_at(at))));
                EXPECT_TRUE(peer.runs.empty());
                ASSERT_EQ(peer.resets.size(), 1u);
                EXPECT_EQ(peer.resets[0]->position, rig.position_at(5));
                rig.grow(1);
                EXPECT_EQ(peer.ranges(), "6-6");
            }
        }
    }
}

TEST(Resume, FromATrimmedPositionASnapshotComes) {
    for (const bool from_memory : {true, false}) {
        CoreRig rig;
        rig.grow(5);
        const Position trimmed = rig.position_at(2);
        const Position just_kept = rig.position_at(3);
        rig.expire_up_to(3);
        if (!from_memory) rig.restart(0);
        RecordingPeer lost;
        rig.attach(lost, CoreRig::resuming(trimmed));
        RecordingPeer kept;
        rig.attach(kept, CoreRig::resuming(rig.position_at(4)));
        EXPECT_EQ(kept.ranges(), "5-5");
        EXPECT_TRUE(kept.resets.empty());
        if (!from_memory) {
            EXPECT_TRUE(lost.runs.empty());
            ASSERT_EQ(lost.resets.size(), 1u);
            EXPECT_EQ(lost.resets[0]->position, rig.position_at(5));
            RecordingPeer edge;  // nothing was missed: its event is gone, the next one is there
            rig.attach(edge, CoreRig::resuming(just_kept));
            EXPECT_TRUE(edge.resets.empty());
            EXPECT_EQ(edge.ranges(), "4-5");
            Position forged = just_kept;
            forged.hash[0] ^= 1;
            RecordingPeer stranger;
            rig.attach(stranger, CoreRig::resuming(forged));
            EXPECT_EQ(stranger.resets.size(), 1u);
        } else {
            EXPECT_EQ(lost.ranges(), "3-5") << "memory still has them";
        }
    }
}

TEST(Resume, WhatExpiredIsNotShownFromMemoryEither) {
    Config config;
    config.event_ttl_ms = 60'000;
    CoreRig rig(1, config);
    RecordingPeer watching;  // so that the user stays in memory
    rig.attach(watching, CoreRig::negotiated());
    rig.grow(3);
    const Position old = rig.position_at(1);
    const Position end = rig.position_at(3);
    rig.pass(config.event_ttl_ms + 700'000);
    EXPECT_EQ(rig.log().first_kept, 4U);
    RecordingPeer late;
    rig.attach(late, CoreRig::resuming(old));
    EXPECT_TRUE(late.runs.empty());
    EXPECT_EQ(late.resets.size(), 1u);
    RecordingPeer beginning;
    rig.attach(beginning, CoreRig::resuming(Position{}));
    EXPECT_TRUE(beginning.runs.empty());
    EXPECT_EQ(beginning.resets.size(), 1u);
    for (const bool from_memory : {true, false}) {
        if (!from_memory) rig.restart(0);
        RecordingPeer in_time;
        rig.attach(in_time, CoreRig::resuming(end));
        EXPECT_EQ(in_time.start, end);
        EXPECT_TRUE(in_time.resets.empty()) << "nothing was missed";
        if (from_memory) continue;
        rig.grow(1);
        EXPECT_EQ(in_time.ranges(), "4-4");
        RecordingPeer after;  // the first event since everything expired
        rig.restart(0);
        rig.attach(after, CoreRig::resuming(end));
        EXPECT_EQ(after.ranges(), "4-4");
        EXPECT_TRUE(after.resets.empty());
    }
}

TEST(Resume, AStoreThatCannotBeReadClosesTheConnection) {
    CoreRig rig;
    rig.grow(5);
    rig.restart(0);
    ASSERT_TRUE(rig.snapshot());
    rig.node().store.set_cut(true);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(rig.position_at(2)));
    EXPECT_EQ(peer.closed, Errc::storage_unavailable);
    EXPECT_TRUE(peer.runs.empty() && peer.resets.empty());
}

TEST(Resume, AfterARestoreThePositionOfWhatWasLostIsNoneOfTheLog) {
    CoreRig rig;
    rig.grow(2);
    const sim::SimDatabase::Backup backup = rig.database.backup();
    rig.grow(2);
    const Position lost = rig.position_at(4);
    const Position kept = rig.position_at(2);
    rig.database.restore(backup, {});  // and no new epoch: the hash alone tells
    rig.restart(0);
    rig.grow(3);
    RecordingPeer peer;
    rig.attach(peer, CoreRig::resuming(lost));
    EXPECT_TRUE(peer.runs.empty());
    EXPECT_EQ(peer.resets.size(), 1u);
    RecordingPeer other;
    rig.attach(other, CoreRig::resuming(kept));
    EXPECT_EQ(other.ranges(), "3-5");
}

}  // namespace dyad::core
