#include "support/rest_rig.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::Answer;
using test::RestRig;

TEST(RestContexts, AFirstPutCreatesAndSaysItsVersion) {
    RestRig rig;
    const Answer made = rig.put("notes", R"({"data":{"a":1},"tags":["x"],"contextType":"chat"})");
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.header("ETag"), "\"1\"");
    EXPECT_EQ(made.text("/context/contextKey"), "notes");
    EXPECT_EQ(made.number("/context/data/a"), 1);
    EXPECT_EQ(made.number("/version"), 1);
    EXPECT_EQ(made.text("/context/createdBy"), "rest");
    EXPECT_TRUE(Position::parse(made.text("/position")).has_value());

    const Answer read = rig.ask("GET", "/api/v1/contexts/notes");
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.type, "application/json");
    EXPECT_EQ(read.header("ETag"), "\"1\"");
    EXPECT_EQ(read.header("Cache-Control"), "no-store");
    EXPECT_EQ(read.header("X-Content-Type-Options"), "");  // the connection adds it to every answer
    EXPECT_EQ(read.text("/contextType"), "chat");
    EXPECT_EQ(read.text("/tags/0"), "x");
}

TEST(RestContexts, AnUnconditionalReplaceIsRefusedWithWhatIsStored) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})");
    const Answer refused = rig.put("notes", R"({"data":{"a":2}})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.type, "application/problem+json");
    EXPECT_EQ(refused.text("/code"), "version_conflict");
    EXPECT_EQ(refused.text("/type"), "/errors/version_conflict");
    EXPECT_EQ(refused.number("/status"), 409);
    EXPECT_EQ(refused.number("/current/version"), 1);
    EXPECT_EQ(refused.number("/current/data/a"), 1);
    EXPECT_EQ(rig.put("notes", R"({"data":{"a":2},"force":true})").status, 200);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes").number("/data/a"), 2);
}

TEST(RestContexts, IfMatchReplacesExactlyTheVersionThatWasRead) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})");
    const Answer second = rig.put("notes", R"({"data":{"a":2}})", {{"If-Match", "\"1\""}});
    EXPECT_EQ(second.status, 200);
    EXPECT_EQ(second.header("ETag"), "\"2\"");
    const Answer late = rig.put("notes", R"({"data":{"a":3}})", {{"If-Match", "\"1\""}});
    EXPECT_EQ(late.status, 412);
    EXPECT_EQ(late.number("/status"), 412);
    EXPECT_EQ(late.text("/code"), "version_conflict");
    EXPECT_EQ(late.number("/current/version"), 2);
    const Answer in_body = rig.put("notes", R"({"data":{"a":3},"expectedVersion":1})");
    EXPECT_EQ(in_body.status, 409);
    EXPECT_EQ(rig.put("notes", R"({"data":{}})", {{"If-Match", "2"}}).status, 400);
}

TEST(RestContexts, IfNoneMatchStarCreatesOnly) {
    RestRig rig;
    const net::Headers only_new{{"If-None-Match", "*"}};
    EXPECT_EQ(rig.put("notes", R"({"data":{}})", only_new).status, 201);
    EXPECT_EQ(rig.put("notes", R"({"data":{}})", only_new).status, 412);
    EXPECT_EQ(rig.ask("DELETE", "/api/v1/contexts/notes").status, 200);
    const Answer again = rig.put("notes", R"({"data":{}})", only_new);
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.number("/version"), 3);  // a version is never used twice
}

TEST(RestContexts, AReadOfAnUnchangedContextIs304) {
    RestRig rig;
    rig.put("notes", R"({"data":{}})");
    for (const char* tag : {"\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"}) {
        const Answer same = rig.ask("GET", "/api/v1/contexts/notes", "", {{"If-None-Match", tag}});
        EXPECT_EQ(same.status, 304) << tag;
        EXPECT_EQ(same.body, "") << tag;
        EXPECT_EQ(same.header("ETag"), "\"1\"") << tag;
    }
    for (const char* tag : {"\"2\"", "\"11\"", "1"})
        EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes", "", {{"If-None-Match", tag}}).status,
                  200)
            << tag;
}

TEST(RestContexts, ARepeatedKeyGetsTheSameAnswerAndChangesNothing) {
    RestRig rig;
    const net::Headers key{{"Idempotency-Key", "op-1"}};
    const Answer first = rig.put("notes", R"({"data":{"a":1}})", key);
    const Answer second = rig.put("notes", R"({"data":{"a":1}})", key);
    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(second.status, 201);
    EXPECT_EQ(first.body, second.body);
    EXPECT_EQ(first.header("Idempotency-Replayed"), "");
    EXPECT_EQ(second.header("Idempotency-Replayed"), "true");
    EXPECT_EQ(first.text("/operationId"), "op-1");
    const Answer reused = rig.put("notes", R"({"data":{"a":2}})", key);
    EXPECT_EQ(reused.status, 409);
    EXPECT_EQ(reused.text("/code"), "operation_reused");
    const Answer empty = rig.put("other", R"({"data":{}})", {{"Idempotency-Key", ""}});
    EXPECT_EQ(empty.status, 400);
    EXPECT_NE(empty.text("/detail").find("Idempotency-Key"), std::string::npos);
}

TEST(RestContexts, IgnoreKeepsWhatIsStoredAndIsNoCreation) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})");
    const Answer kept = rig.put("notes", R"({"data":{"a":2},"mergeStrategy":"ignore"})");
    EXPECT_EQ(kept.status, 200);
    EXPECT_EQ(kept.number("/context/data/a"), 1);
    EXPECT_EQ(kept.number("/incoming/a"), 2);
}

TEST(RestContexts, KeysKeepTheirSlashesAndColons) {
    RestRig rig;
    EXPECT_EQ(rig.put("chat%3A17%2Fnotes%20%C3%A9", R"({"data":{}})").status, 201);
    const Answer read = rig.ask("GET", "/api/v1/contexts/chat:17%2Fnotes%20%C3%A9");
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.text("/contextKey"), "chat:17/notes é");
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/chat:17/notes%20%C3%A9").status, 404);
    EXPECT_EQ(rig.put(std::string(257, 'k'), R"({"data":{}})").status, 413);
}

TEST(RestContexts, PatchesByContentType) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1,"b":2}})");
    const Answer merged = rig.ask("PATCH", "/api/v1/contexts/notes", R"({"b":null,"c":3})",
                                  {{"Content-Type", "application/merge-patch+json"}});
    EXPECT_EQ(merged.status, 200);
    EXPECT_EQ(json::canonical(*merged.at("/context/data")), R"({"a":1,"c":3})");
    const Answer patched =
        rig.ask("PATCH", "/api/v1/contexts/notes",
                R"([{"op":"test","path":"/a","value":1},{"op":"add","path":"/d","value":4}])",
                {{"Content-Type", "application/json-patch+json"}, {"If-Match", "\"2\""}});
    EXPECT_EQ(patched.status, 200);
    EXPECT_EQ(patched.number("/context/data/d"), 4);
    const Answer failed =
        rig.ask("PATCH", "/api/v1/contexts/notes", R"([{"op":"remove","path":"/none"}])",
                {{"Content-Type", "application/json-patch+json"}});
    EXPECT_EQ(failed.status, 409);
    EXPECT_EQ(failed.text("/code"), "patch_failed");
    EXPECT_EQ(rig.ask("PATCH", "/api/v1/contexts/notes", "{}").status, 415);
    EXPECT_EQ(rig.ask("PATCH", "/api/v1/contexts/none", "{}",
                      {{"Content-Type", "application/merge-patch+json"}})
                  .status,
              404);
}

TEST(RestContexts, PagesGoThroughEveryKeyOnceWhileOthersWrite) {
    RestRig rig;
    for (const char* key : {"a", "b", "c", "d", "e"})
        rig.put(key, R"({"data":{}})");
    const Answer first = rig.ask("GET", "/api/v1/contexts?limit=2&type=custom");
    EXPECT_EQ(first.text("/contexts/1/contextKey"), "b");
    const std::string next = first.text("/next");
    EXPECT_EQ(first.header("Link"),
              "</api/v1/contexts?limit=2&type=custom&cursor=" + next + ">; rel=\"next\"");
    rig.put("aa", R"({"data":{}})");
    rig.ask("DELETE", "/api/v1/contexts/b");
    const Answer second = rig.ask("GET", "/api/v1/contexts?limit=2&type=custom&cursor=" + next);
    EXPECT_EQ(second.text("/contexts/0/contextKey"), "c");
    EXPECT_EQ(second.text("/contexts/1/contextKey"), "d");
    const Answer last = rig.ask("GET", "/api/v1/contexts?cursor=" + second.text("/next"));
    EXPECT_EQ(last.text("/contexts/0/contextKey"), "e");
    EXPECT_TRUE(last.at("/next")->is_null());
    EXPECT_EQ(last.header("Link"), "");
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts?cursor=zz").status, 400);
}

TEST(RestContexts, APageEndsWhereItsDocumentsGrowLarge) {
    RestRig rig;
    const std::string body = R"({"data":{"text":")" + std::string(250'000, 'x') + "\"}}";
    for (int i = 10; i < 40; ++i)
        ASSERT_EQ(rig.put("big" + std::to_string(i), body).status, 201);
    std::size_t seen = 0;
    std::string target = "/api/v1/contexts?limit=1000";
    for (int page = 0; page < 30 && !target.empty(); ++page) {
        const Answer answer = rig.ask("GET", target);
        EXPECT_LT(answer.body.size(), 5'000'000U);
        seen += answer.at("/contexts")->get_array().size();
        const std::string next = answer.text("/next");
        target = next.empty() ? "" : "/api/v1/contexts?limit=1000&cursor=" + next;
    }
    EXPECT_EQ(seen, 30U);
}

TEST(RestContexts, FiltersByTypeTagPrefixAndTime) {
    RestRig rig;
    rig.put("p:1", R"({"data":{},"contextType":"project","tags":["red"]})");
    rig.put("p:2", R"({"data":{},"contextType":"chat","tags":["red","blue"]})");
    const Answer read = rig.ask("GET", "/api/v1/contexts/p:2");
    rig.put("q:1", R"({"data":{},"contextType":"chat"})");
    const auto keys = [&](const std::string& query) {
        std::string list;
        const Answer page = rig.ask("GET", "/api/v1/contexts?" + query);
        for (const auto& item : page.at("/contexts")->get_array())
            list.append(item.at("contextKey").as_string()).append(" ");
        return list;
    };
    EXPECT_EQ(keys("type=chat"), "p:2 q:1 ");
    EXPECT_EQ(keys("tag=red"), "p:1 p:2 ");
    EXPECT_EQ(keys("prefix=p%3A"), "p:1 p:2 ");
    EXPECT_EQ(keys("updatedSince=" + std::to_string(read.number("/updatedAt"))), "p:2 q:1 ");
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts?type=nothing").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts?mode=nothing").status, 400);
}

TEST(RestContexts, HistoryAndRestoreBringAnOldVersionBack) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})");
    rig.put("notes", R"({"data":{"a":2},"expectedVersion":1})");
    const Answer history = rig.ask("GET", "/api/v1/contexts/notes/history?limit=1");
    EXPECT_EQ(history.number("/versions/0/context/version"), 2);
    EXPECT_EQ(history.number("/next"), 2);
    const Answer older = rig.ask("GET", "/api/v1/contexts/notes/history?before=2");
    EXPECT_EQ(older.text("/versions/0/action"), "created");
    EXPECT_TRUE(older.at("/next")->is_null());
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes/history/1").number("/data/a"), 1);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes/history/9").status, 404);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes/history/x").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/none/history").status, 404);
    const Answer restored = rig.ask("POST", "/api/v1/contexts/notes/restore", R"({"version":1})");
    EXPECT_EQ(restored.status, 200);
    EXPECT_EQ(restored.number("/context/data/a"), 1);
    EXPECT_EQ(restored.number("/version"), 3);
}

TEST(RestContexts, AnOverlappingMergeIsAConflictThatCanBeResolved) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})");
    rig.put("notes", R"({"data":{"a":2},"expectedVersion":1})");
    const Answer merged =
        rig.put("notes", R"({"data":{"a":3},"mergeStrategy":"merge","expectedVersion":1})");
    EXPECT_EQ(merged.status, 200);
    const std::string id = merged.text("/conflicts/0/id");
    EXPECT_EQ(rig.ask("GET", "/api/v1/conflicts?context=notes").text("/conflicts/0/path"), "/a");
    EXPECT_EQ(rig.ask("GET", "/api/v1/conflicts?context=none").at("/conflicts")->get_array().size(),
              0U);
    const std::string path = "/api/v1/conflicts/" + id + "/resolve";
    EXPECT_EQ(rig.ask("POST", path, R"({"choice":"neither"})").status, 400);
    EXPECT_EQ(rig.ask("POST", path, R"({"choice":"value"})").status, 400);
    const Answer resolved = rig.ask("POST", path, R"({"choice":"incoming"})");
    EXPECT_EQ(resolved.status, 200);
    EXPECT_EQ(resolved.number("/context/data/a"), 3);
    EXPECT_EQ(rig.ask("POST", path, R"({"choice":"incoming"})").status, 404);
}

TEST(RestContexts, ExpiryInDaysCountsFromNow) {
    RestRig rig;
    const Answer day = rig.put("day", R"({"data":{},"ttlDays":1})");
    EXPECT_EQ(day.number("/context/expiresAt") / 1000,
              (day.number("/context/createdAt") + 86'400'000) / 1000);
    EXPECT_TRUE(rig.put("ever", R"({"data":{},"ttlDays":0})").at("/context/expiresAt")->is_null());
    EXPECT_EQ(rig.put("bad", R"({"data":{},"ttlDays":-1})").status, 400);
    EXPECT_EQ(rig.put("bad", R"({"data":{},"ttlDays":1.5})").status, 400);
}

TEST(RestContexts, UsersDoNotSeeEachOther) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1}})", {{"Dyad-User", "bob"}});
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes").status, 404);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts").at("/contexts")->get_array().size(), 0U);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes", "", {{"Dyad-User", "bob"}}).status, 200);
    EXPECT_EQ(rig.ask("GET", "/api/v1/search?q=notes").at("/hits")->get_array().size(), 0U);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts", "", {{"Dyad-User", std::string(257, 'u')}}).status,
              413);
    EXPECT_EQ(
        rig.ask("GET", "/api/v1/contexts", "", {{"Dyad-Instance", std::string(129, 'i')}}).status,
        413);
}

}  // namespace
}  // namespace dyad
