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
    EXPECT_EQ(refused.text("/type"), "../../../errors/version_conflict");
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

// RFC 9110 section 13.1: version 2 is stored.
TEST(RestContexts, ConditionsOfAWriteAreListsComparedCharacterByCharacter) {
    struct {
        const char* name;
        const char* value;
        int status;
    } const cases[] = {
        {"If-Match", "\"2\"", 200},
        {"If-Match", "\"9\", \"2\"", 200},
        {"If-Match", "\"9\",\t\"2\" ,", 200},
        {"If-Match", "\"a,b\", \"2\"", 200},
        {"If-Match", "*", 200},
        {"If-Match", "\"1\"", 412},
        {"If-Match", "\"02\"", 412},
        {"If-Match", "\"2 \"", 400},
        {"If-Match", "\"+2\"", 412},
        {"If-Match", "\"0\"", 412},
        {"If-Match", "\"\"", 412},
        {"If-Match", "\"other\"", 412},
        {"If-Match", "W/\"2\"", 412},  // strong comparison
        {"If-Match", "w/\"2\"", 400},
        {"If-Match", "\"18446744073709551618\"", 412},
        {"If-Match", "2", 400},
        {"If-Match", "\"2", 400},
        {"If-Match", "\"2\" \"1\"", 400},
        {"If-Match", "*, \"2\"", 400},
        {"If-Match", "", 400},
        {"If-None-Match", "*", 412},
        {"If-None-Match", "\"2\"", 412},
        {"If-None-Match", "W/\"2\"", 412},  // weak comparison
        {"If-None-Match", "\"9\", W/\"2\"", 412},
        {"If-None-Match", "\"1\", \"02\"", 200},
    };
    const std::pair<const char*, const char*> writes[] = {
        {"PUT", "application/json"}, {"PATCH", "application/merge-patch+json"}, {"DELETE", ""}};
    for (const auto& [method, type] : writes)
        for (const auto& c : cases) {
            RestRig rig;
            rig.put("notes", R"({"data":{"a":1}})");
            rig.put("notes", R"({"data":{"a":2},"force":true})");
            net::Headers headers{{c.name, c.value}};
            if (*type != 0) headers.emplace_back("Content-Type", type);
            const Answer answer = rig.ask(method, "/api/v1/contexts/notes",
                                          *type != 0 ? R"({"data":{"a":3}})" : "", headers);
            EXPECT_EQ(answer.status, c.status) << method << " " << c.name << ": " << c.value;
            const bool written = answer.status == 200;
            EXPECT_EQ(answer.header("ETag"), written ? "\"3\"" : "") << method << c.value;
            if (answer.status == 400) EXPECT_TRUE(answer.text("/detail").starts_with(c.name));
        }
}

TEST(RestContexts, ConditionsMayStandInSeveralLinesAndTogether) {
    RestRig rig;
    rig.put("notes", R"({"data":{}})");
    const auto put = [&](const net::Headers& headers) {
        return rig.put("notes", R"({"data":{}})", headers).status;
    };
    EXPECT_EQ(put({{"If-Match", "\"7\""}, {"If-Match", "\"1\""}}), 200);
    EXPECT_EQ(put({{"If-Match", "\"2\""}, {"If-None-Match", "\"2\""}}), 412);
    EXPECT_EQ(put({{"If-Match", "\"1\""}, {"If-None-Match", "\"7\""}}), 412);
    EXPECT_EQ(put({{"If-Match", "*"}, {"If-None-Match", "\"7\""}}), 200);
    EXPECT_EQ(rig.put("new", R"({"data":{}})", {{"If-Match", "*"}}).status, 412);
    EXPECT_EQ(rig.put("new", R"({"data":{}})", {{"If-None-Match", "\"1\""}}).status, 201);
}

// The base of the merge is what the condition named.
TEST(RestContexts, AMergeUnderAConditionIsBasedOnWhatIsStored) {
    RestRig rig;
    rig.put("notes", R"({"data":{"a":1,"b":1}})");
    const std::string body = R"({"data":{"a":2},"mergeStrategy":"merge"})";
    EXPECT_EQ(rig.put("notes", body, {{"If-Match", "\"9\", \"1\""}}).status, 200);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/notes").at("/data/b"), nullptr);
}

TEST(RestContexts, AConditionOfAWriteThatReplacesNothingIsRefused) {
    RestRig rig;
    const std::string record = R"({"chatId":"c","messageId":"m","mode":"parallel",
        "sourceType":"local","provider":"p","model":"m","responseHash":"aa"})";
    for (const char* name : {"If-Match", "If-None-Match"}) {
        const Answer answer = rig.ask("POST", "/api/v1/responses", record, {{name, "\"1\""}});
        EXPECT_EQ(answer.status, 400);
        EXPECT_NE(answer.text("/detail").find(name), std::string::npos) << answer.text("/detail");
    }
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

TEST(RestReads, EveryAnswerWithAnETagHonoursConditions) {
    RestRig rig;
    rig.put("notes", R"({"data":{}})");
    rig.ask("PUT", "/api/v1/modes/desk", R"({"mode":"didactic"})");
    for (const char* path :
         {"/api/v1/contexts/notes", "/api/v1/modes/desk", "/", "/assets/status.js",
          "/assets/status.css", "/api/v1/openapi.yaml", "/api/v1/openapi.json"})
        for (const char* method : {"GET", "HEAD"}) {
            const Answer whole = rig.ask(method, path);
            const std::string tag = whole.header("ETag");
            ASSERT_GT(tag.size(), 2U) << path;
            const auto status = [&](const char* name, const std::string& value) {
                return rig.ask(method, path, "", {{name, value}}).status;
            };
            for (const std::string& same :
                 {tag, "W/" + tag, "\"7\",\t" + tag, "\"7\" ,, " + tag + " ,", std::string("*"),
                  "\"a,b\"," + tag}) {
                const Answer answer = rig.ask(method, path, "", {{"If-None-Match", same}});
                EXPECT_EQ(answer.status, 304) << path << " " << same;
                EXPECT_EQ(answer.body, "");
                EXPECT_EQ(answer.type, "");
                // RFC 9110 section 15.4.5
                for (const char* name : {"ETag", "Cache-Control", "Vary"})
                    EXPECT_EQ(answer.header(name), whole.header(name)) << path << " " << name;
                EXPECT_EQ(status("If-Match", same), same.starts_with("W/") ? 412 : 200) << same;
            }
            const std::string inner = tag.substr(1, tag.size() - 2);
            for (const std::string& other : {"\"0" + inner + "\"", "\" " + inner + "\"", inner,
                                             std::string("\"\""), std::string()})
                EXPECT_EQ(status("If-None-Match", other), 200) << path << " " << other;
            EXPECT_EQ(status("If-Match", "\"other\""), 412) << path;
        }
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
    EXPECT_EQ(first.header("Link"), "<?limit=2&type=custom&cursor=" + next + ">; rel=\"next\"");
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
