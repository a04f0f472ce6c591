// What becomes of each command on a given state. No store, no engine.
#include "base/limits.hpp"
#include "support/desk.hpp"

#include <gtest/gtest.h>

namespace dyad::core {
using namespace test;

TEST(Decide, AFirstPutCreatesVersionOne) {
    Desk desk;
    PutContext body = put("{\"a\":1}");
    body.type = ContextType::chat;
    body.tags = {"x", "y"};
    const ContextPtr made = desk.take(body);
    ASSERT_TRUE(made);
    EXPECT_EQ(desk.last_change().action, ContextAction::created);
    EXPECT_EQ(desk.last_change().previous_version, 0u);
    EXPECT_EQ(made->version, 1u);
    EXPECT_EQ(made->data, "{\"a\":1}");
    EXPECT_EQ(made->type, ContextType::chat);
    EXPECT_EQ(made->tags, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(made->created_by, "desk");
    EXPECT_EQ(made->created_at_ms, kNow);
    EXPECT_EQ(made->offset, 1u);
    EXPECT_EQ(made->expires_at_ms, kNow + kTtl);
}

TEST(Decide, AReplacementNeedsTheStoredVersionOrForce) {
    Desk desk;
    desk.take(put("{\"a\":1}"));
    EXPECT_EQ(rejected(desk.ask(put("{}"))), Errc::version_conflict) << "none named";
    for (const Version wrong : {0, 2}) {
        const Decided decided = desk.ask(put("{}"), wrong);
        EXPECT_EQ(rejected(decided), Errc::version_conflict) << wrong;
        ASSERT_TRUE(current_of(decided));
        EXPECT_EQ(current_of(decided)->data, "{\"a\":1}") << "what is stored comes with it";
    }
    const ContextPtr second = desk.take(put("{\"a\":2}"), 1, "laptop");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->version, 2u);
    EXPECT_EQ(second->created_by, "desk");
    EXPECT_EQ(second->last_modified_by, "laptop");
    EXPECT_EQ(desk.last_change().previous_version, 1u);
    EXPECT_EQ(desk.last_change().action, ContextAction::updated);
    const ContextPtr third = desk.take(forced("{\"a\":3}"));
    ASSERT_TRUE(third);
    EXPECT_EQ(third->version, 3u);
}

TEST(Decide, ExpectedVersionZeroMeansThatThereMustBeNone) {
    Desk desk;
    EXPECT_TRUE(desk.take(put("{}"), 0));
    EXPECT_EQ(rejected(desk.ask(put("{}"), 0)), Errc::version_conflict);
    desk.take(DeleteContext{.key = "k"});
    EXPECT_TRUE(desk.take(put("{}"), 0));
    Desk empty;
    EXPECT_EQ(rejected(empty.ask(put("{}"), 1)), Errc::version_conflict);
}

TEST(Decide, ADeletedContextComesBackAsANewOneWithAHigherVersion) {
    Desk desk;
    PutContext body = put("{\"a\":1}");
    body.type = ContextType::project;
    body.tags = {"old"};
    desk.take(body);
    desk.take(DeleteContext{.key = "k"});
    desk.now += 100;
    const ContextPtr again = desk.take(put("{\"a\":2}"), std::nullopt, "laptop");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->version, 3u) << "a version is never used again";
    EXPECT_EQ(again->type, ContextType::custom);
    EXPECT_TRUE(again->tags.empty());
    EXPECT_EQ(again->created_by, "laptop");
    EXPECT_EQ(again->created_at_ms, kNow + 100);
    EXPECT_EQ(desk.last_change().action, ContextAction::created);
}

TEST(Decide, AWriteProlongsTheLifeOfAContextAndNeverShortensIt) {
    Desk desk;
    EXPECT_EQ(desk.take(put("{}"))->expires_at_ms, kNow + kTtl);
    desk.now += 1'000;
    EXPECT_EQ(desk.take(forced("{}"))->expires_at_ms, kNow + 1'000 + kTtl);
    PutContext far = forced("{}");
    far.expires_at_ms = kNow + 100 * kTtl;
    desk.take(far);
    EXPECT_EQ(desk.take(forced("{}"))->expires_at_ms, kNow + 100 * kTtl);
    PutContext soon = forced("{}");
    soon.expires_at_ms = desk.now + 60'000;
    EXPECT_TRUE(desk.take(soon)->expiry_fixed);
    EXPECT_EQ(desk.take(forced("{}"))->expires_at_ms, desk.now + 60'000);
    PutContext days = forced("{}");
    days.ttl_days = 2;
    desk.now += 1'000;
    EXPECT_EQ(desk.take(days)->expires_at_ms, desk.now + 2 * 86'400'000LL);
    days.ttl_days = 0;
    EXPECT_FALSE(desk.take(days)->expires_at_ms);
    PutContext never = forced("{}");
    never.expires_at_ms = std::optional<std::int64_t>();
    EXPECT_FALSE(desk.take(never)->expires_at_ms);
    EXPECT_FALSE(desk.take(forced("{}"))->expires_at_ms);
    Desk without;
    without.ttl = 0;
    EXPECT_FALSE(without.take(put("{}"))->expires_at_ms);
}

TEST(Decide, WhereContextsStayForEverAWriteTakesTheDefaultExpiryAwayAndNoOther) {
    Desk desk;
    EXPECT_TRUE(desk.take(put("{}"))->expires_at_ms);
    PutContext soon = put("{}");
    soon.key = "soon";
    soon.expires_at_ms = kNow + 60'000;
    desk.take(soon);
    desk.ttl = 0;
    EXPECT_FALSE(desk.take(forced("{}"))->expires_at_ms);
    PutContext again = forced("{}");
    again.key = "soon";
    EXPECT_EQ(desk.take(again)->expires_at_ms, kNow + 60'000);
}

TEST(Decide, IgnoreKeepsWhatIsStoredAndGivesBothBack) {
    Desk desk;
    desk.take(put("{\"a\":1}"));
    const Decided decided = desk.ask(put("{\"a\":2}", MergeStrategy::ignore));
    const auto* kept = std::get_if<NoChange>(&decided);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->context->data, "{\"a\":1}");
    EXPECT_EQ(kept->incoming, "{\"a\":2}");
    Desk empty;
    EXPECT_TRUE(empty.take(put("{\"a\":2}", MergeStrategy::ignore)));
}

// merge

TEST(Decide, AMergeWithoutABaseIsLaidOverWhatIsStored) {
    Desk desk = with_two_versions();
    const ContextPtr merged = desk.take(put("{\"b\":{\"c\":3}}", MergeStrategy::merge));
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->data, "{\"a\":2,\"b\":{\"c\":3}}");
    EXPECT_TRUE(desk.last_change().conflicts_opened.empty());
}

TEST(Decide, AMergeAsksForABaseThatIsNotTheStoredVersion) {
    Desk desk = with_two_versions();
    const Decided decided = desk.ask(put("{\"a\":1,\"b\":2}", MergeStrategy::merge), 1);
    const auto* needed = std::get_if<NeedsVersion>(&decided);
    ASSERT_TRUE(needed);
    EXPECT_EQ(needed->key, "k");
    EXPECT_EQ(needed->version, 1u);
    EXPECT_EQ(rejected(desk.ask(put("{}", MergeStrategy::merge), 3)), Errc::version_conflict)
        << "a version that never was";
}

TEST(Decide, AThreeWayMergeKeepsBothSidesChanges) {
    Desk desk = with_two_versions();
    PutContext body = put("{\"a\":1,\"b\":2}", MergeStrategy::merge);
    body.base_data = std::optional<std::string>("{\"a\":1,\"b\":1}");
    const ContextPtr merged = desk.take(body, 1);
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->data, "{\"a\":2,\"b\":2}");
    EXPECT_TRUE(desk.last_change().conflicts_opened.empty());
}

TEST(Decide, ChangesThatOverlapBecomeARecordedConflictWithBothValues) {
    Desk desk = with_two_versions();
    PutContext body = put("{\"a\":3,\"b\":1}", MergeStrategy::merge);
    body.base_data = std::optional<std::string>("{\"a\":1,\"b\":1}");
    const ContextPtr merged = desk.take(body, 1, "laptop");
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->data, "{\"a\":2,\"b\":1}") << "the stored value stays";
    ASSERT_EQ(desk.last_change().conflicts_opened.size(), 1u);
    const Conflict& conflict = desk.last_change().conflicts_opened[0];
    EXPECT_EQ(conflict.id, "3.1");
    EXPECT_EQ(conflict.context_key, "k");
    EXPECT_EQ(conflict.path, "/a");
    EXPECT_EQ(conflict.base, "1");
    EXPECT_EQ(conflict.stored, "2");
    EXPECT_EQ(conflict.incoming, "3");
    EXPECT_EQ(conflict.incoming_from, "laptop");
    EXPECT_EQ(conflict.version, 3u);
}

TEST(Decide, WithoutItsBaseAMergeKeepsEveryDifferenceAsAConflict) {
    Desk desk = with_two_versions();
    PutContext body = put("{\"a\":1,\"b\":2,\"c\":3}", MergeStrategy::merge);
    body.base_data = std::optional<std::string>();  // looked for, and gone
    const ContextPtr merged = desk.take(body, 1);
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->data, "{\"a\":2,\"b\":1,\"c\":3}");
    EXPECT_EQ(desk.last_change().conflicts_opened.size(), 2u);
}

// On an earlier try the base was looked for; by now it is what is stored.
TEST(Decide, AMergeBasedOnTheStoredVersionIsAReplacementWhateverWasReadBefore) {
    using Base = std::optional<std::optional<std::string>>;
    for (const Base& read_before :
         {Base(), Base(std::in_place, std::nullopt), Base(std::in_place, "{\"a\":7}")}) {
        Desk desk = with_two_versions();
        PutContext body = put("{\"b\":5}", MergeStrategy::merge);
        body.base_data = read_before;
        const ContextPtr merged = desk.take(body, 2);
        ASSERT_TRUE(merged);
        EXPECT_EQ(merged->data, "{\"b\":5}");
        EXPECT_TRUE(desk.last_change().conflicts_opened.empty());
    }
}

// Patches

TEST(Decide, AMergePatchChangesOnlyWhatItNames) {
    Desk desk = with_two_versions();
    const ContextPtr patched =
        desk.take(MergePatchContext{.key = "k", .patch = "{\"a\":null,\"c\":3}"});
    ASSERT_TRUE(patched);
    EXPECT_EQ(patched->data, "{\"b\":1,\"c\":3}");
    EXPECT_EQ(rejected(desk.ask(MergePatchContext{.key = "k", .patch = "{}"}, 1)),
              Errc::version_conflict);
    EXPECT_EQ(rejected(desk.ask(MergePatchContext{.key = "k", .patch = "7"})), Errc::patch_failed);
    EXPECT_EQ(rejected(desk.ask(MergePatchContext{.key = "none", .patch = "{}"})), Errc::not_found);
}

TEST(Decide, AJsonPatchIsAppliedWholeOrNotAtAll) {
    Desk desk = with_two_versions();
    const auto patch = [&](const std::string& operations) {
        return JsonPatchContext{.key = "k", .patch = operations};
    };
    const Decided failed =
        desk.ask(patch("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":9},"
                       "{\"op\":\"test\",\"path\":\"/b\",\"value\":2}]"));
    EXPECT_EQ(rejected(failed), Errc::patch_failed);
    EXPECT_EQ(current_of(failed)->data, "{\"a\":2,\"b\":1}");
    const ContextPtr patched = desk.take(patch("[{\"op\":\"remove\",\"path\":\"/a\"}]"), 2);
    ASSERT_TRUE(patched);
    EXPECT_EQ(patched->data, "{\"b\":1}");
    EXPECT_EQ(rejected(desk.ask(patch("[{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]"))),
              Errc::patch_failed)
        << "a document stays an object";
}

// Deletion, expiry, restoring

TEST(Decide, ADeletionLeavesNothingButTheVersion) {
    Desk desk = with_two_versions();
    EXPECT_EQ(rejected(desk.ask(DeleteContext{.key = "k"}, 1)), Errc::version_conflict);
    const ContextPtr gone = desk.take(DeleteContext{.key = "k"}, 2);
    ASSERT_TRUE(gone);
    EXPECT_TRUE(gone->deleted);
    EXPECT_EQ(gone->version, 3u);
    EXPECT_EQ(gone->data, "null");
    EXPECT_FALSE(gone->expires_at_ms);
    EXPECT_EQ(desk.last_change().action, ContextAction::deleted);
    EXPECT_EQ(rejected(desk.ask(DeleteContext{.key = "k"})), Errc::not_found);
    EXPECT_EQ(rejected(desk.ask(DeleteContext{.key = "never"})), Errc::not_found);
}

TEST(Decide, AContextExpiresOnlyAtItsTimeAndAsTheVersionThatWasMeant) {
    Desk desk;
    desk.take(put("{}"));
    const ExpireContext expiry{.key = "k", .version = 1};
    desk.now = kNow + kTtl - 1;
    EXPECT_TRUE(std::holds_alternative<NoChange>(desk.ask(expiry)));
    desk.now = kNow + kTtl;
    EXPECT_TRUE(
        std::holds_alternative<NoChange>(desk.ask(ExpireContext{.key = "k", .version = 2})));
    const ContextPtr gone = desk.take(expiry);
    ASSERT_TRUE(gone);
    EXPECT_TRUE(gone->deleted);
    EXPECT_EQ(desk.last_change().action, ContextAction::expired);
    EXPECT_TRUE(std::holds_alternative<NoChange>(desk.ask(expiry)));
}

TEST(Decide, APastVersionIsAskedForAndRestoredAsANewOne) {
    Desk desk;
    PutContext body = put("{\"a\":1}");
    body.tags = {"first"};
    body.type = ContextType::chat;
    const ContextPtr first = desk.take(body);
    desk.take(forced("{\"a\":2}"));
    RestoreContext restore{.key = "k", .version = 1};
    const Decided decided = desk.ask(restore);
    ASSERT_TRUE(std::holds_alternative<NeedsVersion>(decided));
    EXPECT_EQ(std::get<NeedsVersion>(decided).version, 1u);
    restore.snapshot = first;
    EXPECT_EQ(rejected(desk.ask(restore, 1)), Errc::version_conflict);
    const ContextPtr restored = desk.take(restore, 2);
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->version, 3u);
    EXPECT_EQ(restored->data, "{\"a\":1}");
    EXPECT_EQ(restored->tags, first->tags);
    EXPECT_EQ(restored->type, first->type);
    EXPECT_EQ(desk.last_change().action, ContextAction::restored);
    EXPECT_TRUE(desk.take(RestoreContext{.key = "k", .version = 3})) << "the stored one is known";
}

TEST(Decide, ADeletionIsNoVersionToRestore) {
    Desk desk;
    desk.take(put("{}"));
    desk.take(DeleteContext{.key = "k"});
    EXPECT_EQ(rejected(desk.ask(RestoreContext{.key = "k", .version = 2})), Errc::invalid_field);
    EXPECT_EQ(rejected(desk.ask(RestoreContext{.key = "never", .version = 1})), Errc::not_found);
}

// Conflicts

TEST(Decide, AConflictIsResolvedByEitherSideOrByAnotherValue) {
    using Choice = ResolveConflict::Choice;
    const std::pair<Choice, std::string> cases[] = {{Choice::stored, "{\"a\":2,\"b\":1}"},
                                                    {Choice::incoming, "{\"a\":3,\"b\":1}"},
                                                    {Choice::value, "{\"a\":{\"x\":1},\"b\":1}"}};
    for (const auto& [choice, data] : cases) {
        Desk desk = in_conflict();
        ResolveConflict resolve{.conflict_id = "3.1", .choice = choice};
        if (choice == Choice::value) resolve.value = "{\"x\":1}";
        const ContextPtr resolved = desk.take(resolve, 3);
        ASSERT_TRUE(resolved);
        EXPECT_EQ(resolved->data, data);
        EXPECT_EQ(resolved->version, 4u);
        EXPECT_EQ(desk.last_change().action, ContextAction::resolved);
        EXPECT_TRUE(desk.state.conflicts.empty());
        EXPECT_EQ(rejected(desk.ask(resolve)), Errc::not_found) << "it is open no more";
    }
}

TEST(Decide, AResolutionIsCheckedAsAnyWrite) {
    Desk desk = in_conflict();
    EXPECT_EQ(rejected(desk.ask(ResolveConflict{.conflict_id = "3.1"}, 2)), Errc::version_conflict);
    EXPECT_EQ(rejected(desk.ask(ResolveConflict{.conflict_id = "9.9"})), Errc::not_found);
}

TEST(Decide, ADeletionClosesTheContextsConflicts) {
    Desk desk = in_conflict();
    desk.take(DeleteContext{.key = "k"});
    EXPECT_EQ(desk.last_change().conflicts_closed, std::vector<std::string>{"3.1"});
    EXPECT_TRUE(desk.state.conflicts.empty());
}

// Modes, responses, MCP

TEST(Decide, AModeCountsItsChanges) {
    Desk desk;
    desk.take(SetMode{.mode = Mode::didactic});
    EXPECT_EQ(rejected(desk.ask(SetMode{.mode = Mode::parallel}, 0)), Errc::version_conflict);
    desk.now += 50;
    desk.take(SetMode{.mode = Mode::parallel}, 1);
    const ModeState& mode = desk.state.modes.at("desk");
    EXPECT_EQ(mode.current, Mode::parallel);
    EXPECT_EQ(mode.previous, Mode::didactic);
    EXPECT_EQ(mode.sync_version, 2u);
    EXPECT_EQ(mode.activated_at_ms, kNow + 50);
    desk.now += 50;
    desk.take(SetMode{.mode = Mode::parallel});
    EXPECT_EQ(desk.state.modes.at("desk").activated_at_ms, kNow + 50) << "it went on";
}

TEST(Decide, ATransitionThatFailedLeavesTheModeAsItWas) {
    Desk desk;
    const SetMode failed{.mode = Mode::didactic, .success = false, .error_message = "no key"};
    desk.take(failed);
    EXPECT_EQ(desk.state.modes.at("desk").current, Mode::inspired) << "the default";
    SetMode parallel{.mode = Mode::parallel};
    parallel.configuration = "{\"a\":1}";
    desk.take(parallel);
    EXPECT_FALSE(desk.state.modes.at("desk").attempted);
    desk.now += 50;
    desk.take(failed);
    const ModeState& mode = desk.state.modes.at("desk");
    EXPECT_EQ(mode.current, Mode::parallel);
    EXPECT_EQ(mode.previous, Mode::inspired);
    EXPECT_EQ(mode.configuration, "{\"a\":1}");
    EXPECT_EQ(mode.attempted, Mode::didactic);
    EXPECT_EQ(mode.error_message, "no key");
    EXPECT_EQ(mode.activated_at_ms, kNow);
    EXPECT_EQ(mode.sync_version, 3u);
}

TEST(Decide, APreconditionIsTestedWhateverTheStrategyAndForce) {
    Desk desk;
    desk.take(put("{\"a\":1}"));
    for (const MergeStrategy strategy :
         {MergeStrategy::replace, MergeStrategy::merge, MergeStrategy::ignore}) {
        PutContext body = forced("{\"a\":2}");
        body.strategy = strategy;
        Command command;
        command.body = body;
        command.conditions.match = VersionSet{.any = false, .versions = {7, 9}};
        const View view(desk.state);
        const Decided decided =
            decide(view, command, {.now_ms = kNow, .offset = 2, .context_ttl_ms = kTtl});
        EXPECT_EQ(rejected(decided), Errc::version_conflict);
    }
    desk.take(SetMode{.mode = Mode::didactic, .instance_id = "laptop"});
    EXPECT_EQ(desk.state.modes.at("laptop").sync_version, 1u);
}

TEST(Decide, AnInstanceInInspiredModeSharesNothingButItsMode) {
    Desk desk;
    desk.take(put("{}"));
    desk.take(SetMode{.mode = Mode::inspired});
    EXPECT_EQ(rejected(desk.ask(forced("{}"))), Errc::private_mode);
    EXPECT_EQ(rejected(desk.ask(DeleteContext{.key = "k"})), Errc::private_mode);
    EXPECT_EQ(rejected(desk.ask(AnnounceMcp{.payload = "{}"})), Errc::private_mode);
    EXPECT_TRUE(desk.take(forced("{}"), std::nullopt, "laptop")) << "others go on";
    EXPECT_FALSE(rejected(desk.ask(SetMode{.mode = Mode::parallel})));
}

TEST(Decide, AContextSaysInWhichModeItWasWritten) {
    Desk desk;
    desk.take(SetMode{.mode = Mode::didactic});
    EXPECT_EQ(desk.take(put("{}"))->mode, "didactic");
}

TEST(Decide, AResponseGetsItsInstanceItsPlaceAndItsTimes) {
    Desk desk;
    ResponseRecord record;
    record.chat_id = "c";
    record.message_id = "m";
    record.sources.resize(1);
    desk.take(RecordResponse{record});
    const ResponseRecord& logged = std::get<ResponseChange>(desk.last).record;
    EXPECT_EQ(logged.instance_id, "desk");
    EXPECT_EQ(logged.offset, 1u);
    EXPECT_EQ(logged.timestamp_ms, kNow);
    EXPECT_EQ(logged.final.timestamp_ms, kNow);
    EXPECT_EQ(logged.sources[0].timestamp_ms, kNow);
}

TEST(Decide, AnMcpAnnouncementIsLoggedAsItIs) {
    Desk desk;
    desk.take(AnnounceMcp{.kind = EventKind::mcp_server_added, .payload = "{\"s\":1}"});
    EXPECT_EQ(std::get<McpChange>(desk.last).kind, EventKind::mcp_server_added);
    EXPECT_EQ(std::get<McpChange>(desk.last).payload, "{\"s\":1}");
}

// Limits

TEST(Decide, ADocumentHasAtMostItsBytes) {
    Desk desk;
    const auto sized = [](std::size_t bytes) {
        return put("{\"a\":\"" + std::string(bytes - 8, 'x') + "\"}");
    };
    EXPECT_TRUE(desk.take(sized(limits::document_bytes_max)));
    EXPECT_EQ(rejected(desk.ask(MergePatchContext{.key = "k", .patch = "{\"b\":1}"})),
              Errc::too_large);
}

TEST(Decide, AUserHasAtMostSoMuchOfEverything) {
    Desk desk = in_conflict();
    PutContext other = put("{\"a\":1}");
    other.key = "other";
    desk.state.live_contexts = limits::contexts_per_user_max;
    EXPECT_EQ(rejected(desk.ask(other)), Errc::limit_reached);
    EXPECT_FALSE(rejected(desk.ask(forced("{}")))) << "what is there may change";
    desk.state.live_contexts = 1;
    desk.state.live_bytes = limits::context_bytes_per_user_max;
    EXPECT_EQ(rejected(desk.ask(forced("{\"a\":1,\"b\":1,\"c\":1}"))), Errc::limit_reached);
    EXPECT_FALSE(rejected(desk.ask(forced("{}")))) << "it gets less";
    desk.state.live_bytes = 10;
    for (int i = 1; i < limits::conflicts_per_user_max; ++i)
        desk.state.conflicts["c" + std::to_string(i)] = {};
    PutContext body = put("{\"a\":4,\"b\":1}", MergeStrategy::merge);
    body.base_data = std::optional<std::string>("{\"a\":1,\"b\":1}");
    EXPECT_EQ(rejected(desk.ask(body, 1)), Errc::limit_reached);
}

}  // namespace dyad::core
