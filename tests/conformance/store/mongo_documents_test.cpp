// Contexts as documents beside existing instances, on a real server.
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "model/json.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "store/mongo/documents.hpp"
#include "support/mongo_database.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace dyad::mongo {
namespace {

using test::ExistingInstance;

class MongoDocuments : public test::MongoDatabase {
  protected:
    void SetUp() override {
        MongoDatabase::SetUp();
        if (server() != nullptr) theirs_.emplace(client(), "ada");
    }
    ExistingInstance& theirs() { return *theirs_; }

    // The context after the event at `offset`.
    static ContextPtr context(const std::string& key, Offset offset, std::int64_t value,
                              bool is_new = false) {
        auto context = std::make_shared<Context>();
        context->key = key;
        context->type = ContextType::project;
        context->mode = "parallel";
        context->data = "{\"value\":" + std::to_string(value) + "}";
        context->version = offset;
        context->created_by = context->last_modified_by = "laptop";
        context->updated_at_ms = 1'790'000'000'000 + static_cast<std::int64_t>(offset);
        context->created_at_ms = is_new ? context->updated_at_ms : 1'780'000'000'000;
        context->offset = offset;
        return context;
    }
    static ContextPtr deletion(const std::string& key, Offset offset) {
        auto gone = std::make_shared<Context>(*context(key, offset, 0));
        gone->data = "null";
        gone->deleted = true;
        return gone;
    }

    using Entry = ProjectRequest::Entry;
    std::vector<ForeignDocument> write(std::vector<Entry> entries, Offset end = 0) {
        return write(known_, std::move(entries), end);
    }
    std::vector<ForeignDocument> write(KnownDocuments& known, std::vector<Entry> entries,
                                       Offset end = 0) {
        const auto found =
            project(client(), known, {.user_id = "ada", .end = end, .entries = std::move(entries)});
        EXPECT_TRUE(found) << found.error().to_string();
        return found ? *found : std::vector<ForeignDocument>();
    }
    DocumentsLook look_at(const std::string& user = "ada") {
        const auto looks = look(client(), known_, std::span(&user, 1));
        EXPECT_TRUE(looks) << looks.error().to_string();
        EXPECT_EQ(looks->size(), 1u);
        return looks->front();
    }
    static std::vector<std::string> keys(const std::vector<ForeignDocument>& documents) {
        std::vector<std::string> keys;
        for (const ForeignDocument& document : documents)
            keys.push_back(document.context->key);
        std::sort(keys.begin(), keys.end());
        return keys;
    }
    void insert(std::string_view collection, const Bson& document) {
        const auto written = client().insert(collection, std::span(&document, 1));
        ASSERT_TRUE(written && written->failures.empty());
    }

    KnownDocuments known_;

  private:
    std::optional<ExistingInstance> theirs_;
};

using Keys = std::vector<std::string>;

TEST_F(MongoDocuments, ExistingInstancesSeeWhatIsWritten) {
    EXPECT_TRUE(write({{context("a", 1, 7, true), {}}}, 1).empty());
    EXPECT_EQ(theirs().value("a"), 7);
    EXPECT_TRUE(write({{context("a", 2, 8), {}}, {context("b", 3, 9, true), {}}}, 3).empty());
    EXPECT_EQ(theirs().value("a"), 8);
    EXPECT_EQ(theirs().value("b"), 9);
    const auto document = theirs().find("a");
    EXPECT_EQ(document->view().text("contextType"), "project");
    EXPECT_EQ(document->view().number("metadata.version"), 2);
    const DocumentsLook look = look_at();
    EXPECT_EQ(look.projected, 3u);
    EXPECT_TRUE(look.foreign.empty());
}

TEST_F(MongoDocuments, WhatThisProcessWroteLastIsWrittenWithoutARead) {
    write({{context("a", 1, 1, true), {}}, {context("b", 2, 1, true), {}}});
    const auto commands = [&](auto action) {
        const std::int64_t before = metrics::mongodb_commands.value();
        action();
        return metrics::mongodb_commands.value() - before;
    };
    EXPECT_EQ(commands([&] { write({{context("a", 3, 2), {}}, {context("b", 4, 2), {}}}); }), 1);
    EXPECT_EQ(commands([&] { write({{context("a", 5, 3), {}}}, 5); }), 2) << "and the head";
    KnownDocuments nothing;
    EXPECT_EQ(commands([&] { write(nothing, {{context("a", 6, 4), {}}}); }), 2);
    EXPECT_EQ(theirs().value("a"), 4);
    // This process does not know that another one has written: then it reads.
    EXPECT_EQ(commands([&] { write({{context("a", 7, 5), {}}}); }), 3);
    EXPECT_EQ(theirs().value("a"), 5);
}

TEST_F(MongoDocuments, EveryValueIsStillOursAfterTheServerHadIt) {
    auto odd = std::make_shared<Context>(*context("odd", 1, 0, true));
    odd->data = *json::canonicalize(
        R"({"$set":{"a.b":[1,2.5,1e300,-0.1,9007199254740993,18446744073709551615]},)"
        R"("":"\u0000","\u0000":{"x":[[],{},null,true]},"now":1767225600000,"_id":1})");
    odd->tags = {"t", "\xf0\x9f\x98\x80"};
    odd->expires_at_ms = 1'900'000'000'000;
    write({{odd, {}}});
    EXPECT_TRUE(is_ours(theirs().find("odd")->view()));
    EXPECT_TRUE(look_at().foreign.empty());
    odd = std::make_shared<Context>(*odd);
    odd->offset = 2;
    KnownDocuments nothing;
    EXPECT_TRUE(write(nothing, {{odd, {}}}).empty());
    EXPECT_EQ(offset_of(theirs().find("odd")->view()), 2u);
}

TEST_F(MongoDocuments, WhateverWayTheyWriteItIsFoundAndNotOverwrittenUnseen) {
    const std::vector<std::pair<const char*, std::function<void(const std::string&)>>> ways = {
        {"updateOne", [&](const std::string& key) { theirs().update_one(key, 100); }},
        {"replaceOne", [&](const std::string& key) { theirs().replace_one(key, 100); }},
        {"findOneAndUpdate", [&](const std::string& key) { theirs().exchange(key, 100); }},
        {"deleteOne, insertOne",
         [&](const std::string& key) {
             theirs().delete_one(key);
             theirs().insert_one(key, 100);
         }},
    };
    Offset offset = 0;
    for (const bool is_known : {true, false}) {
        for (const auto& [name, way] : ways) {
            SCOPED_TRACE(std::string(name) + (is_known ? ", known" : ""));
            const std::string key = name + std::to_string(is_known);
            write({{context(key, ++offset, 1, true), {}}});
            way(key);
            const Bson stands = *theirs().find(key);

            const DocumentsLook found = look_at();
            ASSERT_EQ(keys(found.foreign), Keys{key});
            const ForeignDocument& document = found.foreign.front();
            EXPECT_EQ(document.context->data, R"({"value":100})");
            EXPECT_EQ(document.context->version, static_cast<Version>(theirs().now_ms));
            EXPECT_EQ(document.context->last_modified_by, "electron-1");
            EXPECT_EQ(document.context->offset, 0u);
            EXPECT_EQ(look_at().foreign.front().fingerprint, document.fingerprint);

            KnownDocuments nothing;
            KnownDocuments& known = is_known ? known_ : nothing;
            offset += 1;
            const auto in_the_way = write(known, {{context(key, offset, 2), {}}}, offset);
            ASSERT_EQ(keys(in_the_way), Keys{key});
            EXPECT_EQ(in_the_way.front().fingerprint, document.fingerprint);
            EXPECT_TRUE(bson_equal(theirs().find(key)->get(), stands.get()));
            EXPECT_EQ(look_at().projected, 0u) << "not everything was written";

            EXPECT_EQ(keys(write(known, {{context(key, offset, 2), document.fingerprint + 1}})),
                      Keys{key});
            EXPECT_TRUE(write(known, {{context(key, offset, 2), document.fingerprint}}).empty());
            EXPECT_EQ(theirs().value(key), 2);
            EXPECT_TRUE(look_at().foreign.empty());
        }
    }
}

TEST_F(MongoDocuments, ASecondForeignWriteHasAnotherFingerprintAlsoOfTheSame) {
    write({{context("a", 1, 1, true), {}}});
    std::set<Fingerprint> seen;
    for (Offset offset = 2; offset <= 6; ++offset) {
        theirs().now_ms = 1'800'000'000'000;  // the very same
        theirs().update_one("a", 100);
        const DocumentsLook found = look_at();
        ASSERT_EQ(found.foreign.size(), 1u);
        EXPECT_TRUE(seen.insert(found.foreign.front().fingerprint).second);
        EXPECT_TRUE(write({{context("a", offset, 1), found.foreign.front().fingerprint}}).empty());
    }
}

TEST_F(MongoDocuments, AnOlderEventIsNeverWrittenOverANewerOne) {
    write({{context("a", 5, 5, true), {}}});
    for (const Offset older : {4u, 5u}) {
        KnownDocuments nothing;
        EXPECT_TRUE(write(nothing, {{context("a", older, 4), {}}}).empty());
        EXPECT_TRUE(write(nothing, {{context("a", older, 4, true), {}}}).empty());
        EXPECT_TRUE(write(nothing, {{deletion("a", older), {}}}).empty());
        EXPECT_EQ(theirs().value("a"), 5);
    }
    theirs().update_one("a", 100);
    KnownDocuments nothing;
    EXPECT_TRUE(write(nothing, {{context("a", 4, 4), {}}}).empty()) << "a look finds it";
    EXPECT_EQ(theirs().value("a"), 100);
}

TEST_F(MongoDocuments, ADeletedContextHasNoDocument) {
    for (const bool is_known : {true, false}) {
        KnownDocuments nothing;
        KnownDocuments& known = is_known ? known_ : nothing;
        write({{context("a", 1, 1, true), {}}, {context("b", 2, 1, true), {}}});
        EXPECT_TRUE(write(known, {{deletion("a", 3), {}}, {deletion("c", 4), {}}}, 4).empty());
        EXPECT_FALSE(theirs().find("a"));
        EXPECT_EQ(theirs().value("b"), 1);
        // What they write then is new.
        theirs().insert_one("a", 100);
        const auto foreign = look_at().foreign;
        ASSERT_EQ(keys(foreign), Keys{"a"});
        EXPECT_EQ(keys(write(known, {{deletion("a", 5), {}}})), Keys{"a"});
        EXPECT_TRUE(write(known, {{deletion("a", 5), foreign.front().fingerprint}}).empty());
        EXPECT_FALSE(theirs().find("a"));
        write({{deletion("b", 6), {}}});
    }
}

TEST_F(MongoDocuments, WhoIsLateDoesNotBringADeletedContextBack) {
    const auto event = [&](const char* user, const char* scope, std::int64_t offset) {
        insert(kEvents, Bson()
                            .text("userId", user)
                            .text("scope", scope)
                            .text("sourceInstanceId", "laptop")
                            .text("operationId", std::to_string(offset))
                            .number("offset", offset));
    };
    event("ada", "ctx:a", 6);
    event("ada", "ctx:b", 4);
    event("bob", "ctx:b", 9);
    for (const bool is_new : {true, false}) {
        KnownDocuments nothing;
        write(nothing, {{context("a", 5, 1, is_new), {}}, {context("b", 5, 1, is_new), {}}});
        EXPECT_FALSE(theirs().find("a"));
        EXPECT_EQ(theirs().value("b"), 1);
        write(nothing, {{context("a", 7, 2, is_new), {}}});
        EXPECT_EQ(theirs().value("a"), 2);
        theirs().delete_one("a");
        theirs().delete_one("b");
    }
}

TEST_F(MongoDocuments, WhoIsLateLeavesWhatTheyWroteIntoItsDocument) {
    insert(kEvents, Bson()
                        .text("userId", "ada")
                        .text("scope", "ctx:a")
                        .text("sourceInstanceId", "laptop")
                        .text("operationId", "6")
                        .number("offset", 6));
    const Driver other = connect();
    ExistingInstance existing(Client(other.get(), database(), true), "ada");
    // Between the insert of a context that is deleted since, and its removal.
    const test::Before look(client(),
                            test::Before::is("find", std::string(kEvents), "filter.scope"),
                            [&] { existing.update_one("a", 77); });
    KnownDocuments nothing;
    write(nothing, {{context("a", 5, 1, true), {}}});
    EXPECT_TRUE(look.happened());
    EXPECT_EQ(theirs().value("a"), 77);
    EXPECT_EQ(keys(look_at().foreign), Keys{"a"});
}

TEST_F(MongoDocuments, ADocumentThatWentIsWrittenAgain) {
    write({{context("a", 1, 1, true), {}}});
    theirs().delete_one("a");
    EXPECT_TRUE(look_at().foreign.empty());
    EXPECT_TRUE(write({{context("a", 2, 2), {}}}).empty());
    EXPECT_EQ(theirs().value("a"), 2);
}

TEST_F(MongoDocuments, WhatIsNoContextIsLeftAsItIs) {
    const auto document = [](const char* key) {
        return Bson().text("userId", "ada").text("contextKey", key);
    };
    insert(kContexts, document("text").text("data", "x"));
    insert(kContexts, document("").sub("data", Bson()));
    insert(kContexts, Bson().text("userId", "ada").number("contextKey", 5));
    insert(kContexts, document("fine").sub("data", Bson().flag("ok", true)));
    EXPECT_EQ(keys(look_at().foreign), Keys{"fine"});
    EXPECT_TRUE(write({{context("text", 3, 1), {}}}, 3).empty());
    EXPECT_EQ(theirs().find("text")->view().text("data"), "x");
    EXPECT_EQ(look_at().projected, 3u);
}

TEST_F(MongoDocuments, EachUserIsLookedAtForItself) {
    write({{context("a", 1, 1, true), {}}}, 1);
    ExistingInstance bobs(client(), "bob");
    bobs.insert_one("a", 5);
    bobs.insert_one("b", 6);
    const std::vector<std::string> users = {"bob", "nobody", "ada"};
    const auto looks = look(client(), known_, users);
    ASSERT_TRUE(looks);
    ASSERT_EQ(looks->size(), 3u);
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ((*looks)[i].user_id, users[i]);
    EXPECT_EQ(keys((*looks)[0].foreign), (Keys{"a", "b"}));
    EXPECT_TRUE((*looks)[1].foreign.empty() && (*looks)[2].foreign.empty());
    EXPECT_EQ((*looks)[0].projected, 0u);
    EXPECT_EQ((*looks)[2].projected, 1u);
    EXPECT_TRUE(look(client(), known_, {})->empty());
}

TEST_F(MongoDocuments, MoreThanOneLookTakesIsFoundPieceByPiece) {
    const std::string text(static_cast<std::size_t>(limits::page_bytes_max) / 4, 'x');
    Keys all;
    for (int i = 0; i < 9; ++i) {
        all.push_back("k" + std::to_string(i));
        insert(kContexts, Bson()
                              .text("userId", "ada")
                              .text("contextKey", all.back())
                              .sub("data", Bson().text("x", text)));
    }
    ExistingInstance(client(), "bob").insert_one("b", 1);
    const std::vector<std::string> users = {"ada", "bob"};
    std::set<std::string> found;
    bool found_bobs = false;
    for (int i = 0; i < 4; ++i) {
        const auto looks = look(client(), known_, users);
        ASSERT_TRUE(looks);
        EXPECT_LE((*looks)[0].foreign.size(), 4u);
        for (const ForeignDocument& document : (*looks)[0].foreign)
            found.insert(document.context->key);
        found_bobs = found_bobs || (*looks)[1].foreign.size() == 1;
    }
    EXPECT_EQ(Keys(found.begin(), found.end()), all);
    EXPECT_TRUE(found_bobs);
}

TEST_F(MongoDocuments, ManyAndLargeContextsAreWrittenInOneRequest) {
    for (const bool is_new : {true, false}) {
        std::vector<Entry> entries;
        for (Offset i = 1; i <= 64; ++i) {
            auto large = std::make_shared<Context>(
                *context("k" + std::to_string(i), i + (is_new ? 0 : 64), 0, is_new));
            large->data = "{\"value\":1,\"x\":\"" + std::string(250'000, 'x') + "\"}";
            entries.push_back({large, {}});
        }
        KnownDocuments nothing;
        EXPECT_TRUE(write(nothing, entries, is_new ? 64 : 128).empty());
        EXPECT_EQ(look_at().projected, is_new ? 64u : 128u);
    }
    EXPECT_EQ(offset_of(theirs().find("k64")->view()), 128u);
}

// Each number that they write is told to us before it goes, or was written over by themselves, or
// stands at the end.
TEST_F(MongoDocuments, NoForeignValueIsLostWhileBothWrite) {
    const Keys all = {"a", "b", "c"};
    std::atomic<bool> stop{false};
    std::set<std::int64_t> replaced;
    std::int64_t last = 0;
    std::thread existing([&, driver = std::shared_ptr<mongoc_client_t>(connect())] {
        ExistingInstance writer(Client(driver.get(), database(), true), "ada");
        for (std::int64_t value = 1000; !stop; ++value) {
            if (const auto before = writer.exchange(all[value % 3], value))
                replaced.insert(*before);
            last = value;
        }
    });
    std::set<std::int64_t> told;
    std::map<std::string, Fingerprint> seen;
    const auto take = [&](const std::vector<ForeignDocument>& documents) {
        for (const ForeignDocument& document : documents) {
            told.insert(json::parse(document.context->data)->at("value").as_int64());
            seen[document.context->key] = document.fingerprint;
        }
    };
    std::size_t overwritten = 0;
    Offset offset = 0;
    for (int round = 0; round < 150; ++round) {
        std::vector<Entry> entries;
        for (const std::string& key : all) {
            const auto at = seen.find(key);
            offset += 1;
            entries.push_back({context(key, offset, -static_cast<std::int64_t>(offset)),
                               at == seen.end() ? std::nullopt : std::optional(at->second)});
        }
        const auto in_the_way = write(entries);
        overwritten += all.size() - in_the_way.size();
        seen.clear();
        take(in_the_way);
        if (round % 10 == 0) take(look_at().foreign);
    }
    stop = true;
    existing.join();
    ASSERT_GT(last, 1100);
    EXPECT_GT(overwritten, 20u);
    std::set<std::int64_t> standing;
    for (const std::string& key : all)
        standing.insert(theirs().value(key).value_or(0));
    for (std::int64_t value = 1000; value <= last; ++value)
        EXPECT_TRUE(told.contains(value) || replaced.contains(value) || standing.contains(value))
            << value;
}

TEST_F(MongoDocuments, WhatAServerThatDiedHasNotDoneIsDoneAgain) {
    std::vector<Entry> entries;
    for (Offset offset = 1; offset <= 40; ++offset)
        entries.push_back(
            {context("k" + std::to_string(offset % 20), offset, 1, offset <= 20), {}});
    write({entries.begin(), entries.begin() + 20}, 20);
    theirs().update_one("k7", 100);
    insert(kMeta, Bson().text("_id", "a write that waits for the journal, for theirs does not"));
    server()->kill();
    const ProjectRequest rest{
        .user_id = "ada", .end = 40, .entries = {entries.begin() + 20, entries.end()}};
    const auto failed = project(client(), known_, rest);
    ASSERT_FALSE(failed);
    EXPECT_TRUE(error_row(failed.error().code).retry) << failed.error().to_string();
    const std::string user = "ada";
    EXPECT_FALSE(look(client(), known_, std::span(&user, 1)));
    server()->restart();
    // The driver looks at a server that it lost every few seconds only.
    for (int tries = 0; tries < 100 && !look(client(), known_, std::span(&user, 1)); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(look_at().projected, 20u);
    const auto in_the_way = write(rest.entries, 40);
    ASSERT_EQ(keys(in_the_way), Keys{"k7"});
    EXPECT_EQ(look_at().projected, 20u);
    EXPECT_TRUE(write({{context("k7", 27, 1), in_the_way.front().fingerprint}}, 40).empty());
    EXPECT_EQ(look_at().projected, 40u);
    for (Offset offset = 21; offset <= 40; ++offset)
        EXPECT_EQ(offset_of(theirs().find("k" + std::to_string(offset % 20))->view()), offset);
}

TEST_F(MongoDocuments, TransitionsThatTheyWroteAreFoundUntilTheyAreAdopted) {
    const auto theirs = [](const char* user, std::int64_t at) {
        return Bson()
            .text("userId", user)
            .text("instanceId", "electron-1")
            .text("fromMode", "inspired")
            .text("toMode", "didactic")
            .sub("contextSnapshot", Bson().number("chats", 2))
            .real("transitionDuration", 12.5)
            .flag("success", at != 20)
            .text_or_null("errorMessage",
                          at == 20 ? std::optional<std::string>("no") : std::nullopt)
            .date("timestamp", at)
            .null("syncedAt");
    };
    for (const std::int64_t at : {30, 10, 20})
        insert(kTransitions, theirs("ada", at));
    insert(kTransitions, theirs("bob", 5));
    insert(kTransitions,
           Bson().text("userId", "ada").text("toMode", "asleep").date("timestamp", 1));
    ModeState ours;
    ours.instance_id = "laptop";
    insert(kTransitions, *transition_document("ada", 4, ours));

    const auto found = foreign_transitions(client(), "ada", 2);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2u);
    const ForeignTransition& first = found->front();
    EXPECT_EQ(first.state.updated_at_ms, 10);
    EXPECT_EQ(first.state.instance_id, "electron-1");
    EXPECT_EQ(first.state.previous, Mode::inspired);
    EXPECT_EQ(first.state.current, Mode::didactic);
    EXPECT_EQ(first.state.transition_duration_ms, 12);
    EXPECT_TRUE(first.state.success);
    EXPECT_EQ(first.state.context_snapshot, R"({"chats":2})");
    EXPECT_FALSE((*found)[1].state.success);
    EXPECT_EQ((*found)[1].state.error_message, "no");
    EXPECT_NE(first.id, (*found)[1].id);

    // One before its event's own document, one after it.
    ASSERT_TRUE(mark_adopted(client(), first.id, 5));
    ASSERT_TRUE(mark_adopted(client(), (*found)[1].id, 4));
    const auto rest = foreign_transitions(client(), "ada", 9);
    ASSERT_TRUE(rest);
    ASSERT_EQ(rest->size(), 1u);
    EXPECT_EQ(rest->front().state.updated_at_ms, 30);
    const auto doubled =
        client().find(kTransitions, Bson().text("userId", "ada").text("errorMessage", "no"));
    ASSERT_TRUE(doubled);
    EXPECT_TRUE(doubled->empty()) << "the event has a document already";
}

}  // namespace
}  // namespace dyad::mongo
