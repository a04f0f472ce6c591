// What a request may say: who it is, once; what it asks for, and nothing that nobody reads.
#include "support/rest_rig.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::Answer;
using test::RestRig;

const std::string kResponse =
    R"("chatId":"c","messageId":"m","mode":"parallel","sourceType":"local","provider":"p",)"
    R"("model":"m","responseHash":"aa")";

bool begins(const Answer& answer, const std::string& field) {
    return answer.status == 400 && answer.text("/code") == "invalid_field" &&
           answer.text("/detail").starts_with(field + ": ");
}

TEST(RestBodies, RefuseAMemberThatTheRequestDoesNotKnow) {
    RestRig rig;
    const std::tuple<const char*, const char*, std::string> cases[] = {
        {"PUT", "/api/v1/contexts/k", R"("data":{})"},
        {"POST", "/api/v1/contexts/k/restore", R"("version":1)"},
        {"POST", "/api/v1/conflicts/1.1/resolve", R"("choice":"stored")"},
        {"PUT", "/api/v1/modes/desk", R"("mode":"parallel")"},
        {"POST", "/api/v1/events/mcp", R"("type":"mcp:tool-executed","payload":{})"},
        {"POST", "/api/v1/responses", kResponse},
    };
    for (const auto& [method, path, members] : cases)
        for (const std::string stranger : {"expectdVersion", "userId", "op", "operationId", "x"})
            EXPECT_TRUE(begins(rig.ask(method, path, "{" + members + ",\"" + stranger + "\":null}"),
                               stranger))
                << path << stranger;
    EXPECT_EQ(rig.ask("GET", "/api/v1/events").number("/last"), 0) << "nothing was written";
}

TEST(RestBodies, AreRefusedWhereNoneIsTaken) {
    RestRig rig;
    rig.put("k", R"({"data":{}})");
    for (const char* body : {R"({"expectedVersion":77})", "{}", "x"}) {
        const Answer refused = rig.ask("DELETE", "/api/v1/contexts/k", body);
        EXPECT_TRUE(begins(refused, "body"));
        EXPECT_NE(refused.text("/detail").find("If-Match: \"7\""), std::string::npos);
    }
    for (const char* path : {"/api/v1/contexts", "/api/v1/contexts/k", "/api/v1/search?q=a",
                             "/api/v1/events", "/api/v1/events/stream", "/healthz", "/"})
        for (const char* method : {"GET", "HEAD"})
            EXPECT_TRUE(begins(rig.ask(method, path, R"({"type":"chat"})"), "body")) << path;
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/k").number("/version"), 1);
    EXPECT_EQ(rig.ask("DELETE", "/api/v1/contexts/k", "", {{"If-Match", "\"2\""}}).status, 412);
    EXPECT_EQ(rig.ask("DELETE", "/api/v1/contexts/k", "", {{"If-Match", "\"1\""}}).status, 200);
}

TEST(RestBodies, TakeNullForAbsent) {
    RestRig rig;
    EXPECT_EQ(rig.put("k", R"({"data":{},"contextType":null,"tags":null,"mergeStrategy":null,
                               "force":null,"expectedVersion":null,"expiresAt":null,"ttlDays":null,
                               "contextKey":null})")
                  .status,
              201);
    EXPECT_EQ(
        rig.put("j", R"({"data":{},"expectedVersion":null})", {{"If-None-Match", "*"}}).status,
        201);
    EXPECT_EQ(
        rig.ask("PUT", "/api/v1/modes/d",
                R"({"mode":"parallel","currentMode":null,"configuration":null,"instanceId":null,
                          "contextSnapshot":null,"transitionDuration":null,"success":null,
                          "errorMessage":null,"expectedVersion":null})")
            .status,
        201);
    EXPECT_EQ(rig.ask("POST", "/api/v1/responses",
                      "{" + kResponse + R"(,"final":null,"sources":null,"metadata":null,
                       "confidence":null,"mcpToolsUsed":null,"inputTokens":null,
                       "outputTokens":null,"costUsd":null,"responseText":null,"timestamp":null})")
                  .status,
              201);
    EXPECT_EQ(rig.ask("POST", "/api/v1/events/mcp",
                      R"({"type":"mcp:tool-executed","kind":null,"payload":{}})")
                  .status,
              201);
    EXPECT_EQ(rig.put("n", R"({"data":null})").text("/code"), "missing_field");
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/d", R"({"mode":null})").text("/code"), "missing_field");
}

TEST(RestIdentity, IsOneRuleInTheHeaderAndInTheQuery) {
    RestRig rig;
    const std::string path = "/api/v1/contexts/k";
    for (const char* bad : {"carol%20", "%C2%A0carol", "carol%E3%80%80", "%EF%BB%BFcarol",
                            "car%E2%80%8Bol", "car%E2%80%AEol", "Jose%CC%81", "a%0Ab", "a%C2%85"}) {
        const std::string ext = "UTF-8''" + std::string(bad);
        EXPECT_TRUE(begins(rig.ask("GET", path, "", {{"Dyad-User", ext}}), "Dyad-User")) << bad;
        EXPECT_TRUE(begins(rig.ask("GET", path + "?user=" + bad), "user")) << bad;
        EXPECT_TRUE(begins(rig.ask("GET", path, "", {{"Dyad-Instance", ext}}), "Dyad-Instance"));
        EXPECT_TRUE(begins(rig.ask("GET", path + "?instance=" + bad), "instance")) << bad;
        EXPECT_TRUE(
            begins(rig.ask("PUT", "/api/v1/modes/" + std::string(bad), R"({"mode":"parallel"})"),
                   "instanceId"))
            << bad;
        if (std::string(bad) == "Jose%CC%81") continue;
        EXPECT_TRUE(
            begins(rig.put("k", R"({"data":{}})", {{"Idempotency-Key", ext}}), "Idempotency-Key"))
            << bad;
    }
    EXPECT_EQ(rig.ask("GET", path + "?user=").text("/code"), "missing_field");
    EXPECT_EQ(rig.ask("GET", path + "?user=" + std::string(257, 'u')).status, 413);
}

TEST(RestIdentity, HasAFormInAscii) {
    RestRig rig;
    const auto user_of = [&](const std::string& value) {
        return rig.ask("GET", "/api/v1/status", "", {{"Dyad-User", value}}).text("/userId");
    };
    EXPECT_EQ(user_of("UTF-8''Jos%C3%A9"), "José");
    EXPECT_EQ(user_of("utf-8'de'Jos%c3%a9"), "José");
    EXPECT_EQ(user_of("UTF-8''%E6%9D%8E"), "李");
    EXPECT_EQ(user_of("UTF-8''o'brien(1)*!~"), "o'brien(1)*!~");
    EXPECT_EQ(user_of("UTF-8''UTF-8''x"), "UTF-8''x");
    EXPECT_EQ(user_of("José"), "José");
    EXPECT_EQ(user_of("o'brien'x"), "o'brien'x");
    EXPECT_EQ(user_of("Jos%C3%A9"), "Jos%C3%A9");  // no ext-value: as it stands
    EXPECT_EQ(rig.ask("GET", "/api/v1/status?user=Jos%C3%A9").text("/userId"), "José");
    const Answer made =
        rig.put("k", R"({"data":{}})",
                {{"Dyad-Instance", "UTF-8''%C3%BCber"}, {"Idempotency-Key", "UTF-8''%C3%B6p"}});
    EXPECT_EQ(made.text("/context/createdBy"), "über");
    EXPECT_EQ(made.text("/operationId"), "öp");
    for (const char* bad : {"Jos\xe9", "UTF-8''Jos%E9", "UTF-8''Jos%C3", "UTF-8''Jos%",
                            "UTF-8''%zz", "iso-8859-1''Jos%E9", "UTF-8''a%00b"}) {
        const Answer refused = rig.ask("GET", "/api/v1/status", "", {{"Dyad-User", bad}});
        EXPECT_EQ(refused.status, 400) << bad;
        EXPECT_NE(refused.text("/detail").find("Dyad-User: UTF-8''Jos%C3%A9"), std::string::npos);
    }
    EXPECT_EQ(rig.ask("GET", "/api/v1/status", "", {{"Dyad-User", "UTF-8''"}}).status, 400);
}

TEST(RestIdentity, IsSaidOnce) {
    RestRig rig;
    const std::string path = "/api/v1/contexts/k";
    EXPECT_TRUE(
        begins(rig.ask("GET", path + "?user=bob", "", {{"Dyad-User", "ada"}}), "Dyad-User"));
    EXPECT_TRUE(begins(rig.ask("GET", path + "?user=bob&user=bob"), "user"));
    EXPECT_TRUE(
        begins(rig.ask("PUT", path + "?instance=a", R"({"data":{}})", {{"Dyad-Instance", "b"}}),
               "Dyad-Instance"));
    const Answer made = rig.ask("PUT", path + "?user=bob&instance=a", R"({"data":{}})",
                                {{"Dyad-User", "bob"}, {"Dyad-Instance", "UTF-8''a"}});
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.text("/context/createdBy"), "a");
    EXPECT_EQ(rig.ask("GET", path).status, 404) << "it is bob's";
    EXPECT_EQ(rig.ask("GET", path + "?user=bob").status, 200);
    // Where it filters it says nothing of who asks.
    EXPECT_EQ(rig.ask("GET", "/api/v1/transitions?instance=x", "", {{"Dyad-Instance", "y"}}).status,
              200);
}

TEST(RestContradictions, AreRefusedByName) {
    RestRig rig;
    const std::tuple<const char*, const char*, std::string, net::Headers, const char*> cases[] = {
        {"PUT", "/api/v1/contexts/k", R"({"data":{},"contextKey":"l"})", {}, "contextKey"},
        {"POST",
         "/api/v1/contexts/k/restore",
         R"({"version":1,"contextKey":"l"})",
         {},
         "contextKey"},
        {"PUT",
         "/api/v1/contexts/k",
         R"({"data":{},"expectedVersion":2})",
         {{"If-Match", "\"1\""}},
         "expectedVersion"},
        {"PUT",
         "/api/v1/contexts/k",
         R"({"data":{},"expectedVersion":2})",
         {{"If-None-Match", "*"}},
         "expectedVersion"},
        {"PUT",
         "/api/v1/contexts/k",
         R"({"data":{},"expectedVersion":2,"force":true})",
         {},
         "force"},
        {"PUT",
         "/api/v1/contexts/k",
         R"({"data":{},"ttlDays":2,"expiresAt":2000000000000})",
         {},
         "ttlDays"},
        {"POST",
         "/api/v1/conflicts/1.1/resolve",
         R"({"choice":"stored","conflictId":"1.2"})",
         {},
         "conflictId"},
        {"POST",
         "/api/v1/conflicts/1.1/resolve",
         R"({"choice":"incoming","value":1})",
         {},
         "value"},
        {"PUT", "/api/v1/modes/a", R"({"mode":"parallel","instanceId":"b"})", {}, "instanceId"},
        {"PUT",
         "/api/v1/modes/a",
         R"({"mode":"parallel","currentMode":"didactic"})",
         {},
         "currentMode"},
        {"POST",
         "/api/v1/events/mcp",
         R"({"type":"mcp:tool-executed","kind":"mcp-server-added","payload":{}})",
         {},
         "type"},
        {"POST",
         "/api/v1/responses",
         "{" + kResponse + R"(,"responseText":"x"})",
         {},
         "responseHash"},
        {"POST", "/api/v1/responses", "{" + kResponse + R"(,"final":{}})", {}, "final.sourceType"},
    };
    for (const auto& [method, path, body, headers, field] : cases) {
        const Answer refused = rig.ask(method, path, body, headers);
        EXPECT_EQ(refused.status, 400) << body;
        if (std::string(field) != "final.sourceType")
            EXPECT_TRUE(begins(refused, field)) << body << refused.body;
    }
    EXPECT_EQ(rig.ask("GET", "/api/v1/events").number("/last"), 0) << "nothing was written";
}

TEST(RestStatusCodes, SayCreatedWhereTheEventDoes) {
    RestRig rig;
    const auto check = [&](const Answer& answer, int status, const char* action) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.text("/action"), action);
        const std::string offset = std::to_string(answer.number("/context/offset"));
        EXPECT_EQ(rig.ask("GET", "/api/v1/events/" + offset).text("/event/data/action"), action);
    };
    const net::Headers once{{"Idempotency-Key", "a"}};
    const net::Headers again{{"Idempotency-Key", "b"}};
    check(rig.put("k", R"({"data":{}})", once), 201, "created");
    check(rig.put("k", R"({"data":{},"force":true})"), 200, "updated");
    check(rig.ask("DELETE", "/api/v1/contexts/k"), 200, "deleted");
    check(rig.put("k", R"({"data":{}})", again), 201, "created");
    check(rig.put("k", R"({"data":{}})", again), 201, "created");  // told again
    check(rig.put("k", R"({"data":{}})", once), 201, "created");
    rig.ask("DELETE", "/api/v1/contexts/k");
    check(rig.put("k", R"({"data":{},"mergeStrategy":"merge"})"), 201, "created");
    rig.ask("DELETE", "/api/v1/contexts/k");
    check(rig.put("k", R"({"data":{},"mergeStrategy":"ignore"})"), 201, "created");
    rig.ask("DELETE", "/api/v1/contexts/k");
    check(rig.put("k", R"({"data":{},"force":true})"), 201, "created");
    rig.ask("DELETE", "/api/v1/contexts/k");
    check(rig.ask("POST", "/api/v1/contexts/k/restore", R"({"version":1})"), 200, "restored");
    EXPECT_EQ(rig.put("k", R"({"data":{},"mergeStrategy":"ignore"})").status, 200);
    rig.ask("DELETE", "/api/v1/contexts/k");
    EXPECT_EQ(rig.ask("DELETE", "/api/v1/contexts/k").status, 404);
    EXPECT_EQ(rig.ask("PATCH", "/api/v1/contexts/k", "{}",
                      {{"Content-Type", "application/merge-patch+json"}})
                  .status,
              404);
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/d", R"({"mode":"parallel"})", once).status, 409);
    const net::Headers mode{{"Idempotency-Key", "m"}};
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/d", R"({"mode":"parallel"})", mode).status, 201);
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/d", R"({"mode":"didactic"})").status, 200);
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/d", R"({"mode":"parallel"})", mode).status, 201);
}

TEST(RestNumbers, AreKeptOrRefusedWithTheirPlace) {
    RestRig rig;
    rig.put("k", R"({"data":{"n":1}})");
    const std::string merge = "application/merge-patch+json";
    const std::string json_patch = "application/json-patch+json";
    const std::tuple<const char*, const char*, const char*, std::string, const char*> cases[] = {
        {"PUT", "/api/v1/contexts/j", R"({"data":{"v":[123456789012345678901234567890]}})",
         "application/json", "/data/v/0"},
        {"PATCH", "/api/v1/contexts/k", R"({"v":1e400})", merge, "/v"},
        {"PATCH", "/api/v1/contexts/k", R"([{"op":"add","path":"/v","value":1e-400}])", json_patch,
         "/0/value"},
        {"PUT", "/api/v1/modes/d", R"({"mode":"parallel","configuration":{"v":1e400}})",
         "application/json", "/configuration/v"},
        {"POST", "/api/v1/events/mcp", R"({"type":"mcp:tool-executed","payload":{"v":1e400}})",
         "application/json", "/payload/v"},
        {"POST", "/api/v1/responses", R"({"chatId":"c","costUsd":0.12345678901234567890123})",
         "application/json", "/costUsd"},
    };
    for (const auto& [method, path, body, type, place] : cases) {
        const Answer refused = rig.ask(method, path, body, {{"Content-Type", type}});
        EXPECT_EQ(refused.text("/code"), "invalid_field") << body;
        EXPECT_NE(refused.text("/detail").find("\"" + std::string(place) + "\""), std::string::npos)
            << refused.text("/detail");
    }
}

TEST(RestTimes, AreMillisecondsOrDates) {
    RestRig rig;
    const auto expiry = [&](const std::string& value) {
        return rig.put("k", R"({"data":{},"force":true,"expiresAt":)" + value + "}");
    };
    EXPECT_EQ(expiry("2000000000000").number("/context/expiresAt"), 2000000000000);
    EXPECT_EQ(expiry(R"("2033-05-18T05:33:20+02:00")").number("/context/expiresAt"), 2000000000000);
    EXPECT_TRUE(expiry("null").at("/context/expiresAt")->is_null());
    for (const char* bad : {R"("2033-05-18T05:33:20")", R"("tomorrow")", "1.5", "true"}) {
        const Answer refused = expiry(bad);
        EXPECT_TRUE(begins(refused, "expiresAt")) << bad;
        EXPECT_NE(refused.text("/detail").find("1767225600000"), std::string::npos);
        EXPECT_NE(refused.text("/detail").find("2026-01-01T00:00:00Z"), std::string::npos);
    }
    const auto since = [&](const std::string& value) {
        return rig.ask("GET", "/api/v1/contexts?updatedSince=" + value);
    };
    for (const char* good : {"0", "2033-05-18T03:33:20Z", "2033-05-18T05:33:20%2B02:00",
                             "2033-05-18T05:33:20+02:00", "2033-05-18%2005:33:20-00:30"})
        EXPECT_EQ(since(good).status, 200) << good;
    EXPECT_EQ(since("2001-01-01T00:00:00Z").at("/contexts")->get_array().size(), 1U);
    EXPECT_EQ(since("2033-05-18T03:33:20Z").at("/contexts")->get_array().size(), 0U);
    for (const char* bad : {"yesterday", "2033-05-18", "-1", "1.5"})
        EXPECT_TRUE(begins(since(bad), "updatedSince")) << bad;
    EXPECT_EQ(rig.ask("POST", "/api/v1/responses",
                      "{" + kResponse + R"(,"timestamp":"2026-01-01T00:00:00Z"})")
                  .number("/response/final/timestamp"),
              1767225600000);
}

TEST(RestPaths, NameAnyIdByTheQuery) {
    RestRig rig;
    for (const char* key : {".", "%2e%2e", "a%2Fb", "a%5Cb", "a%2F%2Fb", "%2F", "a%2Fhistory",
                            "plain", "%3F%23%25", "a+b"}) {
        const std::string query = "?contextKey=" + std::string(key);
        const std::string at = "/api/v1/context" + query;
        ASSERT_EQ(rig.ask("PUT", at, R"({"data":{"n":1}})").status, 201) << key;
        EXPECT_EQ(
            rig.ask("PATCH", at, R"({"n":2})", {{"Content-Type", "application/merge-patch+json"}})
                .status,
            200);
        EXPECT_EQ(rig.ask("GET", at).number("/data/n"), 2) << key;
        EXPECT_EQ(rig.ask("GET", "/api/v1/context/history" + query + "&limit=1")
                      .number("/versions/0/context/version"),
                  2);
        EXPECT_EQ(rig.ask("GET", "/api/v1/context/history/1" + query).number("/data/n"), 1);
        EXPECT_EQ(rig.ask("POST", "/api/v1/context/restore" + query, R"({"version":1})").status,
                  200);
        EXPECT_EQ(rig.ask("DELETE", at, "", {{"If-Match", "\"3\""}}).status, 200);
        EXPECT_EQ(rig.ask("GET", at).status, 404);
    }
    // The one and the other name the same.
    rig.put("a%2Fb", R"({"data":{}})");
    EXPECT_EQ(rig.ask("GET", "/api/v1/context?contextKey=a/b").status, 200);
    const std::string mode = "/api/v1/mode?instanceId=..";
    EXPECT_EQ(rig.ask("PUT", mode, R"({"mode":"parallel"})").status, 201);
    EXPECT_EQ(rig.ask("GET", mode).text("/instanceId"), "..");
    EXPECT_EQ(rig.ask("GET", "/api/v1/context").text("/code"), "missing_field");
    EXPECT_EQ(rig.ask("GET", "/api/v1/context?contextKey=a&contextKey=b").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/contexts/a?contextKey=b").status, 400);
    EXPECT_EQ(rig.ask("POST", "/api/v1/context?contextKey=a", "{}").status, 405);
}

}  // namespace
}  // namespace dyad
