// What is written beside the log, by us and by others.
#include "base/limits.hpp"
#include "support/core_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
namespace {

using test::CoreRig;
using test::error_in;
using test::reply_in;

class Documents : public testing::Test {
  protected:
    Documents() : rig_(2) { rig_.use_documents(); }

    // What somebody else writes, whatever is there.
    void write_beside(const std::string& key, const std::string& data, Version version = 1) {
        auto context = std::make_shared<Context>();
        context->key = key;
        context->data = data;
        context->version = version;
        context->last_modified_by = "existing";
        rig_.database.documents.write(rig_.user, context);
    }
    ContextPtr in_state(const std::string& key) {
        const auto taken = rig_.snapshot();
        for (const ContextPtr& context : (*taken)->contexts)
            if (context->key == key) return context;
        return nullptr;
    }
    const sim::SimDocuments::Document& document(const std::string& key) {
        return *rig_.database.documents.find(rig_.user, key);
    }

    CoreRig rig_;
};

}  // namespace

TEST_F(Documents, SayWhatTheLogSays) {
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    EXPECT_EQ(document("k").context->data, "{\"n\":1}");
    ASSERT_TRUE(reply_in(rig_.submit(rig_.command(DeleteContext{.key = "k"}), 1)));
    EXPECT_TRUE(document("k").context->deleted);
    EXPECT_EQ(rig_.log_end(), 2u);
}

TEST_F(Documents, WhatSomebodyWroteIsAdoptedOnceByWhoeverFindsIt) {
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    ASSERT_TRUE(rig_.snapshot(1));
    write_beside("k", "{\"theirs\":1}", 1'700'000'000'000);
    for (std::size_t node : {0u, 1u})
        rig_.node(node).bus.arrive(Hint{.user_id = rig_.user});
    rig_.settle();
    const ContextPtr adopted = in_state("k");
    ASSERT_TRUE(adopted);
    EXPECT_EQ(adopted->data, "{\"theirs\":1}");
    EXPECT_EQ(adopted->version, 1'700'000'000'000u);
    EXPECT_EQ(adopted->last_modified_by, "existing");
    EXPECT_EQ(rig_.log_end(), 2u);
    EXPECT_TRUE(document("k").verifies);
    // It is the stored version now: who has it may go on from it.
    Command next = rig_.put("k", "{\"n\":2}");
    next.expected_version = adopted->version;
    ASSERT_TRUE(reply_in(rig_.submit(next, 1)));
    EXPECT_EQ(document("k").context->version, adopted->version + 1);
}

TEST_F(Documents, NothingOfOthersIsOverwrittenUnseen) {
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    write_beside("k", "{\"theirs\":1}");  // nobody has told us
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":2}"))));
    ASSERT_EQ(rig_.log_end(), 3u);
    const auto change = decode_change(*decode_event(rig_.log().events[2].text()));
    ASSERT_TRUE(change);
    EXPECT_EQ(std::get<ContextChange>(*change).context->data, "{\"theirs\":1}");
    EXPECT_EQ(std::get<ContextChange>(*change).context->version, 3u);
    EXPECT_TRUE(document("k").verifies);
}

TEST_F(Documents, WhatCannotBeAdoptedIsLeftAsItIs) {
    const std::string large = "{\"x\":\"" + std::string(limits::document_bytes_max, 'x') + "\"}";
    write_beside("k", large);
    ASSERT_TRUE(rig_.snapshot());
    rig_.pass(12'000);
    EXPECT_EQ(rig_.log_end(), 0u);
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("other", "{}"))));
    EXPECT_EQ(document("k").context->data, large) << "still";
    EXPECT_EQ(document("other").context->data, "{}");
    write_beside("k", "{\"theirs\":1}");
    rig_.pass(12'000);
    EXPECT_EQ(in_state("k")->data, "{\"theirs\":1}");
}

TEST_F(Documents, WhatANodeLeftUndoneAnotherOneWrites) {
    rig_.node(0).gated.documents_fail = true;
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    EXPECT_EQ(rig_.database.documents.find(rig_.user, "k"), nullptr);
    rig_.restart(0);
    ASSERT_TRUE(rig_.snapshot(1));
    rig_.pass(12'000);
    EXPECT_EQ(document("k").context->data, "{\"n\":1}");
}

// There may be more deletions than the state remembers before the database is back.
TEST_F(Documents, GoWhereTheDeletionItselfIsForgotten) {
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{}"))));
    ASSERT_FALSE(document("k").context->deleted);
    rig_.node(0).gated.documents_fail = true;
    ASSERT_TRUE(reply_in(rig_.submit(rig_.command(DeleteContext{.key = "k"}))));
    for (int n = 0; n < limits::deleted_contexts_per_user_max; ++n) {
        const std::string key = "other" + std::to_string(n);
        ASSERT_TRUE(reply_in(rig_.submit(rig_.put(key, "{}"))));
        ASSERT_TRUE(reply_in(rig_.submit(rig_.command(DeleteContext{.key = key}))));
    }
    rig_.node(0).gated.documents_fail = false;
    rig_.pass(30'000);
    EXPECT_TRUE(document("k").context->deleted);
    EXPECT_EQ(rig_.database.documents.look(rig_.user).projected, rig_.log_end());
}

TEST_F(Documents, RestAfterAWriteThatTookLong) {
    constexpr auto kProject = test::Call::project;
    test::GatedStore& store = rig_.node(0).gated;
    store.hold(kProject);
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    rig_.pass(20);
    store.release(kProject);
    rig_.settle();
    const int before = store.count(kProject);
    for (int n = 2; n < 6; ++n)
        ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":" + std::to_string(n) + "}"))));
    EXPECT_EQ(store.count(kProject), before);
    EXPECT_EQ(document("k").context->data, "{\"n\":1}");
    rig_.pass(1000);
    EXPECT_EQ(store.count(kProject), before + 1) << "what changed several times is written once";
    EXPECT_EQ(document("k").context->data, "{\"n\":5}");
}

TEST_F(Documents, AFailedWriteIsTriedAgain) {
    rig_.node(0).gated.documents_fail = true;
    ASSERT_TRUE(reply_in(rig_.submit(rig_.put("k", "{\"n\":1}"))));
    rig_.node(0).gated.documents_fail = false;
    rig_.pass(6'000);
    EXPECT_EQ(document("k").context->data, "{\"n\":1}");
}

}  // namespace dyad::core
