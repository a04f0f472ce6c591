// What is derived from the log: history, versions, transitions, responses.
#include "conformance/store/store_law.hpp"

#include <algorithm>

namespace dyad::conformance {

using test::SampleLog;

void StoreProjections::put(SampleLog& log, const Change& change) {
    log.now_ms += 10;
    const AppendRequest request =
        request_for(log, change, "p" + std::to_string(log.head().offset + 1), log.now_ms);
    ASSERT_EQ(append(request), AppendOutcome::committed);
    log.take(*request.batch, request.changes);
}

Result<std::vector<HistoryItem>> StoreProjections::history(const std::string& user,
                                                           const std::string& key,
                                                           PageRequest page) {
    return ask<std::vector<HistoryItem>>(
        [&](auto done) { store().history(user, key, page, done); });
}

Result<ContextPtr> StoreProjections::version(const std::string& user, const std::string& key,
                                             Version version) {
    return ask<ContextPtr>([&](auto done) { store().read_version(user, key, version, done); });
}

std::vector<ResponseRecord> StoreProjections::responses(const std::string& user,
                                                        const ResponseFilter& filter,
                                                        PageRequest page) {
    auto records = ask<std::vector<ResponseRecord>>(
        [&](auto done) { store().responses(user, filter, page, done); });
    EXPECT_TRUE(records) << records.error().to_string();
    return records ? *std::move(records) : std::vector<ResponseRecord>();
}

using Keys = std::vector<std::string>;

TEST_P(StoreProjections, HistoryIsGivenNewestFirstAndPageByPage) {
    SampleLog log("ada", random_);
    for (int i = 1; i <= 25; ++i) {
        put(log, context_change(log, "a", "a" + std::to_string(i)));
        put(log, context_change(log, "b", "b" + std::to_string(i)));
        if (i == 13) backend_->restart(false);
    }
    std::vector<Version> versions;
    PageRequest page{.before = 0, .limit = 10};
    for (;;) {
        const auto items = history("ada", "a", page);
        ASSERT_TRUE(items);
        for (const HistoryItem& item : *items) {
            EXPECT_EQ(item.context->key, "a");
            EXPECT_EQ(item.offset, item.context->offset);
            versions.push_back(item.context->version);
        }
        if (items->size() < page.limit) break;
        page.before = items->back().offset;
    }
    std::vector<Version> expected;
    for (Version v = 25; v > 0; --v)
        expected.push_back(v);
    EXPECT_EQ(versions, expected);
    const auto other = history("bob", "a", {});
    ASSERT_TRUE(other);
    EXPECT_TRUE(other->empty());
}

TEST_P(StoreProjections, AVersionIsReadAsItWas) {
    SampleLog log("ada", random_);
    for (int i = 1; i <= 5; ++i)
        put(log, context_change(log, "a", "text " + std::to_string(i)));
    put(log, context_change(log, "a", "", true));
    const auto third = version("ada", "a", 3);
    ASSERT_TRUE(third);
    EXPECT_EQ((*third)->data, "{\"note\":\"text 3\"}");
    const auto last = version("ada", "a", 6);
    ASSERT_TRUE(last);
    EXPECT_TRUE((*last)->deleted);
    for (const Version none : {Version{0}, Version{7}}) {
        const auto missing = version("ada", "a", none);
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, Errc::not_found);
    }
    const auto unknown = version("ada", "b", 1);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Errc::not_found);
}

TEST_P(StoreProjections, TransitionsAreKeptPerInstance) {
    SampleLog log("ada", random_);
    for (std::uint64_t i = 1; i <= 12; ++i) {
        ModeState state;
        state.instance_id = i % 3 == 0 ? "cli-1" : "vscode-1";
        state.current = Mode::didactic;
        state.sync_version = i;
        put(log, ModeChange{state});
    }
    const auto read = [&](std::optional<std::string> instance, PageRequest page) {
        const auto found = ask<std::vector<Transition>>(
            [&](auto done) { store().transitions("ada", instance, page, done); });
        EXPECT_TRUE(found);
        std::vector<std::uint64_t> versions;
        for (std::size_t i = 0; found && i < found->size(); ++i) {
            const Transition& transition = (*found)[i];
            versions.push_back(transition.state.sync_version);
            EXPECT_EQ(transition.offset, transition.state.sync_version);  // one event each
        }
        return versions;
    };
    using Versions = std::vector<std::uint64_t>;
    EXPECT_EQ(read("cli-1", {}), (Versions{12, 9, 6, 3}));
    EXPECT_EQ(read(std::nullopt, {.before = 0, .limit = 3}), (Versions{12, 11, 10}));
    EXPECT_EQ(read(std::nullopt, {.before = 4, .limit = 9}), (Versions{3, 2, 1}));
    EXPECT_EQ(read("nobody", {}), Versions{});
}

TEST_P(StoreProjections, WhoMadeRoomIsForgottenUntilItSaysAModeAgain) {
    SampleLog log("ada", random_);
    const auto say = [&](const char* instance, std::vector<std::string> forgotten) {
        ModeState state;
        state.instance_id = instance;
        state.current = Mode::didactic;
        put(log, ModeChange{state, std::move(forgotten)});
    };
    const auto modes = [&] {
        const auto loaded =
            ask<LoadedLog>([&](auto done) { store().load("ada", std::move(done)); });
        EXPECT_TRUE(loaded);
        std::string ids;
        for (const auto& [id, state] : loaded->state.modes)
            ids += id + " ";
        return ids;
    };
    say("a", {});
    say("b", {});
    say("c", {"a"});
    EXPECT_EQ(modes(), "b c ");
    backend_->restart(false);
    EXPECT_EQ(modes(), "b c ");
    say("a", {"b"});
    say("d", {"a", "c"});
    say("c", {});
    backend_->restart(false);
    EXPECT_EQ(modes(), "c d ");
    const auto all = ask<std::vector<Transition>>(
        [&](auto done) { store().transitions("ada", std::nullopt, {}, done); });
    ASSERT_TRUE(all);
    EXPECT_EQ(all->size(), 6u) << "what they did is kept as long as the rest";
}

TEST_P(StoreProjections, ResponsesAreMergedPerMessageAndFiltered) {
    SampleLog log("ada", random_);
    const auto put_response = [&](const char* chat, const char* message, const char* provider) {
        ResponseRecord record;
        record.chat_id = chat;
        record.message_id = message;
        record.instance_id = "vscode-1";
        record.final.provider = provider;
        record.final.model = "m";
        record.sources.push_back(record.final);
        record.offset = log.head().offset + 1;
        put(log, ResponseChange{record});
    };
    put_response("c1", "m1", "ollama");
    put_response("c1", "m2", "claude");
    put_response("c2", "m1", "claude");
    backend_->restart(false);
    put_response("c1", "m1", "claude");

    std::vector<ResponseRecord> expected;
    for (const auto& [name, record] : log.responses())
        expected.push_back(record);
    std::sort(expected.begin(), expected.end(),
              [](const auto& a, const auto& b) { return a.offset > b.offset; });
    EXPECT_EQ(test::describe(responses("ada", {}, {})), test::describe(expected));
    EXPECT_EQ(expected.front().sources.size(), 2U);
    const auto count = [&](ResponseFilter filter) { return responses("ada", filter, {}).size(); };
    EXPECT_EQ(count({.chat_id = "c1"}), 2U);
    EXPECT_EQ(count({.chat_id = "c1", .message_id = "m2"}), 1U);
    EXPECT_EQ(count({.provider = "claude"}), 3U);
    EXPECT_EQ(count({.provider = "nobody"}), 0U);
    EXPECT_EQ(responses("ada", {}, {.before = expected[0].offset, .limit = 1})[0].offset,
              expected[1].offset);
    EXPECT_TRUE(responses("bob", {}, {}).empty());
}

TEST_P(StoreProjections, UsersWithExpiredContextsAreFoundUntilTheContextsAreGone) {
    const auto expired = [&](std::int64_t now_ms) {
        const auto users = ask<std::vector<std::string>>(
            [&](auto done) { store().users_with_expired(now_ms, 10, done); });
        EXPECT_TRUE(users);
        Keys names = users ? *users : Keys{};
        std::sort(names.begin(), names.end());
        return names;
    };
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    const auto put_expiring = [&](SampleLog& log, std::int64_t at) {
        ContextChange change = context_change(log, "a", "short");
        auto context = std::make_shared<Context>(*change.context);
        context->expires_at_ms = at;
        change.context = context;
        put(log, change);
    };
    put_expiring(ada, 5000);
    put_expiring(bob, 6000);
    EXPECT_EQ(expired(4999), Keys{});
    EXPECT_EQ(expired(5000), Keys{"ada"});
    EXPECT_EQ(expired(6000), (Keys{"ada", "bob"}));
    put(ada, context_change(ada, "a", "", true));
    put_expiring(bob, 9000);
    backend_->restart(false);
    EXPECT_EQ(expired(8999), Keys{});
    EXPECT_EQ(expired(8999), Keys{}) << "asked again";
    EXPECT_EQ(expired(9000), Keys{"bob"});
}

TEST_P(StoreProjections, ClaimsAreKeptUntilTheyEnd) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    const auto claims_of = [&](const char* user) {
        const auto loaded = ask<LoadedLog>([&](auto done) { store().load(user, std::move(done)); });
        EXPECT_TRUE(loaded);
        std::string text;
        for (const auto& [resource, claim] : loaded->state.claims)
            write_claim(text, claim);
        EXPECT_EQ(loaded->state.claims.size(), loaded->state.claim_ends.size());
        return text;
    };
    const auto due = [&](std::int64_t now_ms) {
        const auto users = ask<std::vector<std::string>>(
            [&](auto done) { store().users_with_expired(now_ms, 10, done); });
        EXPECT_TRUE(users);
        return users ? *users : Keys{};
    };
    const auto text_of = [](const Claim& claim) {
        std::string text;
        write_claim(text, claim);
        return text;
    };
    Claim file{.resource = "file:/a",
               .instance_id = "vscode-1",
               .session = "s",
               .note = "mending",
               .token = 1,
               .granted_at_ms = 1,
               .renewed_at_ms = 1,
               .expires_at_ms = 5'000};
    Claim other = file;
    other.resource = "context:k";
    other.token = 2;
    other.expires_at_ms = 7'000;
    put(ada, ClaimChange{file, ClaimAction::granted});
    put(ada, ClaimChange{other, ClaimAction::granted});
    put(bob, context_change(bob, "a", "text"));
    EXPECT_EQ(claims_of("ada"), text_of(other) + text_of(file));
    EXPECT_EQ(due(4'999), Keys{});
    EXPECT_EQ(due(5'000), Keys{"ada"});
    backend_->restart(false);
    EXPECT_EQ(claims_of("ada"), text_of(other) + text_of(file));
    EXPECT_EQ(claims_of("bob"), "");
    EXPECT_EQ(due(5'000), Keys{"ada"});
    file.renewed_at_ms = 3'000;
    file.expires_at_ms = 9'000;
    put(ada, ClaimChange{file, ClaimAction::renewed});
    EXPECT_EQ(due(6'999), Keys{}) << "renewed";
    EXPECT_EQ(due(7'000), Keys{"ada"});
    put(ada, ClaimChange{other, ClaimAction::expired});
    EXPECT_EQ(due(8'999), Keys{});
    backend_->restart(false);
    EXPECT_EQ(claims_of("ada"), text_of(file)) << "as it was renewed, and what ended is gone";
    EXPECT_EQ(due(8'999), Keys{});
    EXPECT_EQ(due(9'000), Keys{"ada"});
    put(ada, ClaimChange{file, ClaimAction::released});
    backend_->restart(false);
    EXPECT_EQ(claims_of("ada"), "");
    EXPECT_EQ(due(9'999'999), Keys{});
}

}  // namespace dyad::conformance
