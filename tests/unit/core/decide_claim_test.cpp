// Who holds a claim until when, what is written under one, and whose a value is.
#include "base/limits.hpp"
#include "core/proven_time.hpp"
#include "support/desk.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
using namespace test;

namespace {

AcquireClaim claim(std::int64_t ttl_ms = 1'000, const std::string& session = "") {
    return {.resource = "file:/a", .ttl_ms = ttl_ms, .note = {}, .session = session};
}

// The change that came of it, folded into the desk's state.
const ClaimChange& taken(Desk& desk, CommandBody body, const std::string& instance = "desk") {
    const Offset before = desk.offset;
    desk.take(std::move(body), std::nullopt, instance);
    EXPECT_EQ(desk.offset, before + 1) << "it was refused";
    return std::get<ClaimChange>(desk.last);
}
std::optional<Errc> refused(Desk& desk, CommandBody body, const std::string& instance = "desk") {
    return rejected(desk.ask(std::move(body), std::nullopt, instance));
}

}  // namespace

TEST(Claims, AreGrantedUnderTheOffsetOfTheirEvent) {
    Desk desk;
    desk.take(put("{}"));
    const ClaimChange& change = taken(desk, claim());
    EXPECT_EQ(change.action, ClaimAction::granted);
    EXPECT_EQ(change.claim.token, 2u);
    EXPECT_EQ(change.claim.instance_id, "desk");
    EXPECT_EQ(change.claim.granted_at_ms, kNow);
    EXPECT_EQ(change.claim.expires_at_ms, kNow + 1'000);
    EXPECT_EQ(desk.state.claims.at("file:/a").token, 2u);
    EXPECT_EQ(desk.state.claim_ends.size(), 1u);
    EXPECT_EQ(scope_of(Change(change)), "claim:file:/a");
    EXPECT_EQ(event_type_name(kind_of(Change(change))), "config-updated");
}

TEST(Claims, TheHolderRenewsUnderTheSameToken) {
    Desk desk;
    AcquireClaim first = claim(1'000, "s1");
    first.note = "mending";
    taken(desk, first);
    desk.now += 500;
    const ClaimChange renewed = taken(desk, claim(1'000, "s1"));
    EXPECT_EQ(renewed.action, ClaimAction::renewed);
    EXPECT_EQ(renewed.claim.token, 1u);
    EXPECT_EQ(renewed.claim.expires_at_ms, kNow + 1'500);
    EXPECT_EQ(renewed.claim.granted_at_ms, kNow);
    EXPECT_EQ(renewed.claim.renewed_at_ms, kNow + 500);
    EXPECT_EQ(renewed.claim.note, "mending") << "nothing was said of it";
    EXPECT_EQ(taken(desk, claim(100, "s1")).claim.expires_at_ms, kNow + 1'500)
        << "never to an earlier end";
    EXPECT_EQ(desk.state.claim_ends.size(), 1u);
    desk.now += 5'000;
    EXPECT_EQ(taken(desk, claim(1'000, "s1")).claim.token, 1u) << "nobody else came in between";
}

TEST(Claims, AnotherOneIsToldWhoHoldsIt) {
    Desk desk;
    AcquireClaim first = claim(1'000, "s1");
    first.note = "mending";
    taken(desk, first, "alice");
    for (const auto& [instance, session] : {std::pair("bob", "s1"), std::pair("alice", "s2")}) {
        const Decided decided = desk.ask(claim(1'000, session), std::nullopt, instance);
        EXPECT_EQ(rejected(decided), Errc::claimed);
        const Rejection& rejection = std::get<Rejection>(decided);
        for (const char* part : {"\"alice\"", "session \"s1\"", "\"mending\"", "for 1 s"})
            EXPECT_NE(rejection.error.detail.find(part), std::string::npos)
                << rejection.error.detail;
        ASSERT_TRUE(rejection.claim);
        EXPECT_EQ(rejection.claim->token, 1u);
    }
}

TEST(Claims, AnotherOneTakesWhatIsProvedToBeOver) {
    Desk desk;
    taken(desk, claim(), "alice");
    desk.now += 999;
    EXPECT_EQ(refused(desk, claim(), "bob"), Errc::claimed);
    desk.now += 1;
    const ClaimChange& change = taken(desk, claim(), "bob");
    EXPECT_EQ(change.action, ClaimAction::granted);
    EXPECT_EQ(change.claim.token, 2u);
    EXPECT_EQ(desk.state.claims.size(), 1u);
    EXPECT_EQ(desk.state.claim_ends.size(), 1u);
}

TEST(Claims, AClockThatIsAheadTakesNothingAway) {
    Desk desk;
    taken(desk, claim(), "alice");
    Command command;
    command.instance_id = "bob";
    command.body = claim();
    const View view(desk.state);
    Decision at{.now_ms = kNow + 50'000, .proven_ms = kNow + 500, .offset = 2};
    EXPECT_EQ(rejected(decide(view, command, at)), Errc::claimed);
    at.proven_ms = kNow + 1'000;
    EXPECT_FALSE(rejected(decide(view, command, at)));
}

TEST(Claims, WhatASlowClockDatedLastsAsLongAsWasAskedFor) {
    constexpr std::int64_t kMonths = 60LL * 24 * 3600'000;
    ProvenTime time({}, {.wall_ms = kNow, .steady_ms = 0, .synchronised = true});
    time.restore({});
    static_cast<void>(time.date_after(0));  // what it dates stands months behind
    std::int64_t steady_ms = 0;
    for (; !time.has_corrections() && steady_ms < 30 * 60'000; steady_ms += 30'000)
        time.read(
            {.wall_ms = kNow + kMonths + steady_ms, .steady_ms = steady_ms, .synchronised = true});
    ASSERT_TRUE(time.has_corrections());
    Desk desk;
    taken(desk, claim(3'600'000), "alice");
    desk.at.time = &time;
    desk.now = kNow + kMonths;
    EXPECT_EQ(refused(desk, claim(), "bob"), Errc::claimed) << "it was dated by the slow clock";
    desk.fence = Fence{"file:/a", 1};
    EXPECT_EQ(refused(desk, put("{}"), "alice"), std::nullopt);
}

TEST(Claims, AreReleasedUnderTheirTokenOnly) {
    Desk desk;
    taken(desk, claim());
    EXPECT_EQ(refused(desk, ReleaseClaim{"file:/a", 2}), Errc::claim_lost);
    EXPECT_EQ(refused(desk, ReleaseClaim{"file:/b", 1}), Errc::claim_lost);
    EXPECT_EQ(taken(desk, ReleaseClaim{"file:/a", 1}).action, ClaimAction::released);
    EXPECT_TRUE(desk.state.claims.empty());
    EXPECT_TRUE(desk.state.claim_ends.empty());
    EXPECT_EQ(refused(desk, ReleaseClaim{"file:/a", 1}), Errc::claim_lost);
}

TEST(Claims, AreEndedByTheServerWhenTheyAreOverAndNotBefore) {
    Desk desk;
    taken(desk, claim());
    const std::string server(kServerInstance);
    const auto end = [&](Token token) {
        return desk.ask(ExpireClaim{"file:/a", token}, std::nullopt, server);
    };
    EXPECT_TRUE(std::holds_alternative<NoChange>(end(1)));
    desk.now += 1'000;
    EXPECT_TRUE(std::holds_alternative<NoChange>(end(2))) << "another claim";
    EXPECT_EQ(taken(desk, ExpireClaim{"file:/a", 1}, server).action, ClaimAction::expired);
    EXPECT_TRUE(std::holds_alternative<NoChange>(end(1)));
}

TEST(Claims, AWriteUnderOneIsAcceptedWhileItIsHeld) {
    Desk desk;
    taken(desk, claim(), "alice");
    desk.fence = Fence{"file:/a", 1};
    EXPECT_EQ(refused(desk, put("{}"), "alice"), std::nullopt);
    desk.fence = Fence{"file:/a", 7};
    EXPECT_EQ(refused(desk, put("{}"), "alice"), Errc::claim_lost);
    desk.fence = Fence{"file:/b", 1};
    EXPECT_EQ(refused(desk, put("{}"), "alice"), Errc::claim_lost);
    desk.fence = Fence{"file:/a", 1};
    for (const CommandBody& body :
         {CommandBody(DeleteContext{"k"}), CommandBody(SetMode{.mode = Mode::parallel}),
          CommandBody(AnnounceMcp{EventKind::mcp_server_added, "{}"})}) {
        desk.now = kNow;
        EXPECT_NE(refused(desk, body, "alice"), Errc::claim_lost);
        desk.now = kNow + 1'000;
        EXPECT_EQ(refused(desk, body, "alice"), Errc::claim_lost) << "its time is over";
    }
}

TEST(Claims, ALateHolderIsRefusedWhoeverHoldsItNow) {
    Desk desk;
    taken(desk, claim(), "alice");
    desk.now += 1'000;
    taken(desk, claim(), "bob");
    desk.fence = Fence{"file:/a", 1};
    const Decided late = desk.ask(put("{}"), std::nullopt, "alice");
    EXPECT_EQ(rejected(late), Errc::claim_lost);
    EXPECT_EQ(std::get<Rejection>(late).claim->instance_id, "bob");
    EXPECT_NE(std::get<Rejection>(late).error.detail.find("\"bob\" has it under token 2"),
              std::string::npos);
    desk.fence = Fence{"file:/a", 2};
    EXPECT_EQ(refused(desk, put("{}"), "bob"), std::nullopt);
}

TEST(Claims, OfOneBatchAreDecidedOneAfterTheOther) {
    Desk desk;
    taken(desk, claim());
    View view(desk.state);
    Offset offset = 1;
    const auto on_view = [&](CommandBody body, std::optional<Fence> fence = {}) {
        Command command;
        command.instance_id = "bob";
        command.body = std::move(body);
        command.fence = std::move(fence);
        Decided decided =
            decide(view, command, {.now_ms = kNow, .proven_ms = kNow, .offset = offset + 1});
        if (const auto* change = std::get_if<Change>(&decided)) {
            view.add(*change);
            ++offset;
        }
        return rejected(decided);
    };
    EXPECT_EQ(on_view(claim()), Errc::claimed);
    EXPECT_EQ(on_view(ReleaseClaim{"file:/a", 1}), std::nullopt);
    EXPECT_EQ(view.claims(), 0u);
    EXPECT_EQ(view.claim("file:/a"), nullptr);
    EXPECT_EQ(on_view(put("{}"), Fence{"file:/a", 1}), Errc::claim_lost);
    EXPECT_EQ(on_view(claim()), std::nullopt);
    EXPECT_EQ(view.claims(), 1u);
    EXPECT_EQ(view.claim("file:/a")->token, 3u);
    EXPECT_EQ(on_view(put("{}"), Fence{"file:/a", 3}), std::nullopt);
    EXPECT_EQ(desk.state.claims.at("file:/a").token, 1u) << "the durable state is as it was";
}

TEST(Claims, AreBounded) {
    Desk desk;
    for (std::int64_t i = 0; i < limits::claims_per_user_max; ++i)
        desk.state.claims["r" + std::to_string(i)].resource = "r" + std::to_string(i);
    EXPECT_EQ(refused(desk, claim()), Errc::limit_reached);
    desk.state.claims.erase("r0");
    EXPECT_EQ(refused(desk, claim()), std::nullopt);
}

TEST(Claims, OfAPrivateInstanceAreRefusedAndEndAllTheSame) {
    Desk desk;
    taken(desk, claim(), "alice");
    desk.take(SetMode{.mode = Mode::inspired}, std::nullopt, "alice");
    EXPECT_EQ(refused(desk, claim(), "alice"), Errc::private_mode);
    desk.now += 1'000;
    EXPECT_EQ(taken(desk, ExpireClaim{"file:/a", 1}, std::string(kServerInstance)).action,
              ClaimAction::expired);
}

TEST(Provenance, IsThatOfTheWriteAndOfNoOtherOne) {
    Desk desk;
    desk.provenance = Provenance{Author::model, "m", Trust::unverified};
    EXPECT_EQ(desk.take(put("{\"a\":1}"))->provenance, desk.provenance);
    desk.provenance.reset();
    EXPECT_FALSE(desk.take(forced("{\"a\":2}"))->provenance) << "nobody knows whose it is";
    EXPECT_FALSE(desk.take(MergePatchContext{"k", "{\"b\":1}"})->provenance);
    desk.provenance = Provenance{Author::user, "", Trust::trusted};
    EXPECT_EQ(desk.take(JsonPatchContext{"k", "[]"})->provenance, desk.provenance);
    desk.provenance.reset();
    EXPECT_FALSE(desk.take(DeleteContext{"k"})->provenance);
}

TEST(Provenance, WhoChangesAPartMakesTheWholeNoMoreTrusted) {
    Desk desk;
    desk.provenance = Provenance{Author::web, "", Trust::quarantined};
    desk.take(put("{\"a\":1}"));
    desk.provenance = Provenance{Author::user, "", Trust::trusted};
    const Provenance partly{Author::user, "", Trust::quarantined};
    EXPECT_EQ(desk.take(MergePatchContext{"k", "{\"b\":1}"})->provenance, partly);
    EXPECT_EQ(desk.take(JsonPatchContext{"k", "[]"})->provenance, partly);
    EXPECT_EQ(desk.take(put("{\"c\":1}", MergeStrategy::merge))->provenance, partly);
    EXPECT_EQ(desk.take(forced("{\"a\":2}"))->provenance, desk.provenance)
        << "who replaces it vouches for all of it";
}

TEST(Provenance, WhatIsRestoredIsWhatItWas) {
    Desk desk;
    desk.provenance = Provenance{Author::web, "", Trust::quarantined};
    const ContextPtr first = desk.take(put("{\"a\":1}"));
    desk.provenance = Provenance{Author::user, "", Trust::trusted};
    desk.take(forced("{\"a\":2}"));
    desk.provenance.reset();
    const RestoreContext restore{.key = "k", .version = 1, .snapshot = first};
    EXPECT_EQ(desk.take(restore)->provenance, first->provenance);
    desk.provenance = Provenance{Author::user, "", Trust::trusted};
    EXPECT_EQ(desk.take(restore)->provenance, desk.provenance) << "somebody vouches for it";
}

}  // namespace dyad::core
