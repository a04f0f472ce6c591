// The reads of what is derived from the log, against the log itself, on a real server.
#include "base/metrics.hpp"
#include "search/match.hpp"
#include "store/mongo/archive_reads.hpp"
#include "store/mongo/retention.hpp"
#include "store/mongo/state_documents.hpp"
#include "store/mongo/user_logs.hpp"
#include "support/mongo_database.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <set>

namespace dyad::mongo {
namespace {

using test::SampleLog;

class MongoArchive : public test::MongoDatabase {
  protected:
    void SetUp() override {
        MongoDatabase::SetUp();
        if (server() == nullptr) return;
        shared_.seed = test::kSampleSeed;
        logs_.emplace(client(), shared_);
        reads_.emplace(client());
    }

    void append(SampleLog& log, std::size_t events) {
        while (events > 0) {
            const std::size_t some = std::min<std::size_t>(events, 40);
            const AppendRequest request = log.draft(some);
            const AppendRequest* const requests[] = {&request};
            const auto results = logs_->append(log.user(), requests);
            ASSERT_EQ(results.size(), 1u);
            ASSERT_EQ(results[0].outcome, AppendOutcome::committed);
            log.take(*request.batch, request.changes);
            events -= some;
        }
        const Status up = bring_up(client(), *logs_, log.user());
        ASSERT_TRUE(up) << up.error().to_string();
    }

    static int commands() {
        const std::string metrics = metrics::render();
        const std::string name = "\ndyad_mongodb_command_seconds_count ";
        const std::size_t at = metrics.find(name);
        return at == std::string::npos ? -1 : std::stoi(metrics.substr(at + name.size()));
    }

    // Every change of a context that is still in the log, oldest first.
    static std::vector<HistoryItem> changes_of(const SampleLog& log, const std::string& key,
                                               Offset first_kept = 1) {
        std::vector<HistoryItem> items;
        for (const std::string& text : log.texts()) {
            const EventView event = *decode_event(text);
            const Change change = *decode_change(event);
            const auto* const context = std::get_if<ContextChange>(&change);
            if (event.offset >= first_kept && context != nullptr && context->context->key == key)
                items.push_back(
                    {event.offset, event.timestamp_ms, context->action, context->context});
        }
        return items;
    }
    static std::string text_of(const Context& context) {
        std::string text;
        write_context(text, context);
        return text;
    }
    static std::string text_of(const std::vector<HistoryItem>& items) {
        std::string text;
        for (const HistoryItem& item : items)
            text += std::to_string(item.offset) + " " + std::to_string(item.timestamp_ms) + " " +
                    std::string(name_of(item.action)) + " " + text_of(*item.context) + "\n";
        return text;
    }
    static std::string text_of(const std::vector<Transition>& transitions) {
        std::string text;
        for (const Transition& transition : transitions) {
            text += std::to_string(transition.offset) + " ";
            write_mode(text, transition.state);
        }
        return text;
    }

    void expect_history(const SampleLog& log, Offset first_kept = 1) {
        std::set<std::string> keys = {"unknown"};
        for (const auto& [key, context] : log.state().contexts)
            keys.insert(key);
        for (const std::string& key : keys) {
            std::vector<HistoryItem> expected = changes_of(log, key, first_kept);
            std::reverse(expected.begin(), expected.end());
            std::vector<HistoryItem> found;
            PageRequest page{.before = 0, .limit = 7};
            for (std::size_t before = 1; before != found.size() || found.empty();) {
                before = found.size();
                const auto items = reads_->history(log.user(), key, page);
                ASSERT_TRUE(items) << items.error().to_string();
                found.insert(found.end(), items->begin(), items->end());
                if (items->size() < page.limit) break;
                page.before = found.back().offset;
            }
            EXPECT_EQ(text_of(found), text_of(expected)) << key;
        }
    }
    void expect_lists(const SampleLog& log) {
        for (const bool all : {true, false}) {
            std::vector<Transition> expected;
            std::optional<std::string> instance;
            if (!all) instance = log.transitions().front().second.instance_id;
            for (const auto& [offset, state] : log.transitions())
                if (all || state.instance_id == *instance) expected.push_back({offset, state});
            std::reverse(expected.begin(), expected.end());
            const auto found = reads_->transitions(log.user(), instance, {.limit = 1000});
            ASSERT_TRUE(found) << found.error().to_string();
            EXPECT_EQ(text_of(*found), text_of(expected));
            const auto some = reads_->transitions(log.user(), instance,
                                                  {.before = expected[1].offset, .limit = 2});
            expected = {expected.begin() + 2, expected.begin() + 4};
            EXPECT_EQ(text_of(*some), text_of(expected));
        }
        const auto newest = [&](const auto& wanted) {
            std::vector<ResponseRecord> records;
            for (const auto& [name, record] : log.responses())
                if (wanted(record)) records.push_back(record);
            std::sort(records.begin(), records.end(),
                      [](const auto& a, const auto& b) { return a.offset > b.offset; });
            return records;
        };
        const auto expect = [&](const ResponseFilter& filter, const auto& wanted) {
            std::vector<ResponseRecord> expected = newest(wanted);
            EXPECT_FALSE(expected.empty());
            const auto found = reads_->responses(log.user(), filter, {.limit = 1000});
            ASSERT_TRUE(found) << found.error().to_string();
            EXPECT_EQ(test::describe(*found), test::describe(expected));
            const Offset before = expected.front().offset;
            expected.erase(expected.begin());
            expected.resize(std::min<std::size_t>(expected.size(), 2));
            const auto some = reads_->responses(log.user(), filter, {.before = before, .limit = 2});
            EXPECT_EQ(test::describe(*some), test::describe(expected));
        };
        const ResponseRecord one = log.responses().begin()->second;
        expect({}, [](const auto&) { return true; });
        expect({.chat_id = one.chat_id},
               [&](const auto& record) { return record.chat_id == one.chat_id; });
        expect({.chat_id = one.chat_id, .message_id = one.message_id}, [&](const auto& record) {
            return record.chat_id == one.chat_id && record.message_id == one.message_id;
        });
        expect({.provider = one.final.provider}, [&](const auto& record) {
            return record.final.provider == one.final.provider ||
                   std::any_of(
                       record.sources.begin(), record.sources.end(),
                       [&](const auto& source) { return source.provider == one.final.provider; });
        });
    }

    test::SeededRandom random_{7};
    Shared shared_{"test"};
    std::optional<UserLogs> logs_;
    std::optional<ArchiveReads> reads_;
};

TEST_F(MongoArchive, ReadsWhatTheLogSays) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    append(ada, 240);
    append(bob, 120);
    expect_history(ada);
    expect_history(bob);
    expect_lists(ada);
    EXPECT_TRUE(reads_->transitions("nobody", {}, {})->empty());
    EXPECT_TRUE(reads_->responses("nobody", {}, {})->empty());
    EXPECT_TRUE(reads_->history("ada", "project:1", {.limit = 0})->empty());
}

TEST_F(MongoArchive, AnEventOfALongLogIsReadInAFewCommands) {
    SampleLog log("ada", random_);
    append(log, 5000);
    const int before = commands();
    ASSERT_GT(before, 0);
    const Result<LogSlice> slice = logs_->read("ada", 16, 1);
    ASSERT_TRUE(slice) << slice.error().to_string();
    EXPECT_EQ(slice->head.offset, 5000u);
    EXPECT_LE(commands() - before, 4);
    // What is known of its end may be of long ago, where others write it.
    shared_.heads.saw("ada", slice->batches[0]->head(), shared_.heads.era());
    EXPECT_EQ(logs_->read("ada", 16, 1)->head.offset, 5000u);
}

TEST_F(MongoArchive, EveryVersionIsReadAsItWas) {
    SampleLog log("ada", random_);
    append(log, 160);
    for (const auto& [key, context] : log.state().contexts) {
        for (const HistoryItem& item : changes_of(log, key)) {
            const auto found = reads_->version("ada", key, item.context->version);
            ASSERT_TRUE(found) << found.error().to_string();
            EXPECT_EQ(text_of(**found), text_of(*item.context));
        }
        for (const Version none : {Version{0}, context->version + 1})
            EXPECT_EQ(reads_->version("ada", key, none).error().code, Errc::not_found);
    }
    EXPECT_EQ(reads_->version("ada", "unknown", 1).error().code, Errc::not_found);
    EXPECT_EQ(reads_->version("bob", "project:1", 1).error().code, Errc::not_found);
}

TEST_F(MongoArchive, WhatExpiredIsGoneFromTheHistoryAlone) {
    SampleLog log("ada", random_);
    append(log, 200);
    const auto cut = decode_event(log.texts()[119])->timestamp_ms;
    const auto erased = expire_user(client(), *logs_, "ada", cut);
    ASSERT_TRUE(erased) << erased.error().to_string();
    ASSERT_GT(*erased, 50u);
    const Offset first_kept = *erased + 1;
    expect_history(log, first_kept);
    expect_lists(log);
    std::size_t gone = 0;
    for (const auto& [key, context] : log.state().contexts) {
        for (const HistoryItem& item : changes_of(log, key)) {
            const auto found = reads_->version("ada", key, item.context->version);
            if (item.offset >= first_kept || item.context->version == context->version) {
                ASSERT_TRUE(found) << found.error().to_string();
                EXPECT_EQ(text_of(**found), text_of(*item.context));
            } else if (!found) {
                EXPECT_EQ(found.error().code, Errc::history_gone);
                gone += 1;
            }
        }
    }
    EXPECT_GT(gone, 20u);
}

TEST_F(MongoArchive, WhatComesWhileItExpiresIsKeptHoweverOld) {
    SampleLog log("ada", random_);
    append(log, 10);
    const Driver other = connect();
    Client writer(other.get(), database(), true);
    UserLogs theirs(writer, shared_);
    const AppendRequest request = log.draft(1);
    const AppendRequest* const requests[] = {&request};
    {
        // It is in the log, and in no table yet.
        const test::Before cut(
            client(), test::Before::is("find", std::string(kEvents), "projection.timestamp"), [&] {
                const auto results = theirs.append("ada", requests);
                ASSERT_EQ(results.at(0).outcome, AppendOutcome::committed);
            });
        const auto erased = expire_user(client(), *logs_, "ada", INT64_MAX);
        ASSERT_TRUE(erased) << erased.error().to_string();
        EXPECT_TRUE(cut.happened());
        EXPECT_EQ(*erased, 10u);
    }
    log.take(*request.batch, request.changes);
    const auto rest = logs_->read("ada", 10, 1 << 20);
    ASSERT_TRUE(rest) << rest.error().to_string();
    EXPECT_EQ(rest->head.position(), log.head().position());
    ASSERT_EQ(rest->batches.size(), 1u);
    EXPECT_EQ(rest->batches[0]->first, 11u);
    ASSERT_TRUE(bring_up(client(), *logs_, "ada"));
    expect_history(log, 11);
}

TEST_F(MongoArchive, AVersionThatNeverWasIsNotGone) {
    SampleLog log("ada", random_, {.keys = 1, .data_bytes = 20, .only_contexts = true});
    append(log, 2);
    // As a foreign clock makes them.
    auto later = std::make_shared<Context>(*log.state().contexts.begin()->second);
    later->version = 1000;
    later->offset = 3;
    EventBatch batch;
    LogHead head = log.head();
    const ContextChange change{.context = later, .conflicts_opened = {}, .conflicts_closed = {}};
    append_change(batch, head, change,
                  {.source_instance_id = "foreign",
                   .operation_id = "adopt",
                   .data = {},
                   .timestamp_ms = log.now_ms + 5});
    const AppendRequest request{
        .user_id = "ada", .batch = std::make_shared<const EventBatch>(batch), .changes = {change}};
    const AppendRequest* const requests[] = {&request};
    ASSERT_EQ(logs_->append("ada", requests)[0].outcome, AppendOutcome::committed);
    ASSERT_TRUE(bring_up(client(), *logs_, "ada"));
    EXPECT_EQ((*reads_->version("ada", later->key, 1000))->offset, 3u);
    EXPECT_EQ((*reads_->version("ada", later->key, 2))->offset, 2u);
    EXPECT_EQ(reads_->version("ada", later->key, 500).error().code, Errc::not_found);
}

TEST_F(MongoArchive, SearchesLiveContextsByTheCommonRules) {
    SampleLog ada("ada", random_, {.keys = 30});
    SampleLog bob("bob", random_);
    append(ada, 200);
    append(bob, 40);
    for (const char* const query : {"of", "ada", "project", "word1*", "xyz", "bob NOT ada"}) {
        const auto parsed = search::Query::parse(query);
        ASSERT_TRUE(parsed);
        std::vector<SearchHit> expected;
        for (const auto& [key, context] : ada.state().contexts) {
            if (context->deleted) continue;
            const std::string body = search::body_of(*context);
            const search::Counted counted = search::count(*parsed, key, body);
            const double score = search::score(*parsed, counted.phrases, counted.body_terms);
            if (score > 0) expected.push_back({key, search::snippet(*parsed, key, body), score});
        }
        std::sort(expected.begin(), expected.end(), is_better);
        for (const std::size_t limit : {0u, 1u, 5u, 1000u}) {
            const auto hits = reads_->search("ada", query, limit);
            ASSERT_TRUE(hits) << hits.error().to_string();
            ASSERT_EQ(hits->size(), std::min(limit, expected.size())) << query;
            for (std::size_t i = 0; i < hits->size(); ++i) {
                EXPECT_EQ((*hits)[i].key, expected[i].key);
                EXPECT_EQ((*hits)[i].score, expected[i].score);
                EXPECT_EQ((*hits)[i].snippet, expected[i].snippet);
            }
        }
    }
    EXPECT_EQ(reads_->search("ada", "", 10).error().code, Errc::invalid_field);
    EXPECT_TRUE(reads_->search("nobody", "of", 10)->empty());
}

TEST_F(MongoArchive, TellsWhoseContextsExpire) {
    SampleLog ada("ada", random_);
    SampleLog bob("bob", random_);
    append(ada, 100);
    append(bob, 100);
    const auto first_of = [](const SampleLog& log) { return log.state().expiries.begin()->first; };
    const std::int64_t first = std::min(first_of(ada), first_of(bob));
    const std::int64_t second = std::max(first_of(ada), first_of(bob));
    const std::string sooner = first == first_of(ada) ? "ada" : "bob";
    using Users = std::vector<std::string>;
    EXPECT_EQ(*reads_->users_with_expired(first - 1, 10), Users{});
    EXPECT_EQ(*reads_->users_with_expired(first, 10), Users{sooner});
    EXPECT_EQ(reads_->users_with_expired(second, 10)->size(), 2u);
    EXPECT_EQ(*reads_->users_with_expired(second, 1), Users{sooner});
    EXPECT_EQ(*reads_->users_with_expired(second, 0), Users{});
}

}  // namespace
}  // namespace dyad::mongo
