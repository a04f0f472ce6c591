#include "support/rest_rig.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using test::Answer;
using test::RestRig;

TEST(RestStatus, HasTheKeysThatExistingCodeReads) {
    RestRig rig;
    rig.run(2000);
    const Answer status = rig.ask("GET", "/api/v1/status");
    ASSERT_EQ(status.status, 200);
    for (const char* name : {"/mongodb", "/redis"}) {
        const auto& system = status.at(name)->get_object();
        for (const char* member : {"enabled", "connected", "healthy"})
            EXPECT_FALSE(system.at(member).as_bool()) << name << member;
    }
    EXPECT_TRUE(status.at("/websocket/enabled")->as_bool());
    EXPECT_TRUE(status.at("/websocket/running")->as_bool());
    EXPECT_EQ(status.number("/websocket/clientCount"), 0);
    EXPECT_EQ(status.text("/instanceId"), rig.instance_id());
    EXPECT_TRUE(status.at("/isFullyOperational")->as_bool());
    EXPECT_EQ(status.text("/storage/kind"), "simulated");
    EXPECT_TRUE(status.at("/storage/healthy")->as_bool());
    EXPECT_TRUE(status.at("/bus/connected")->as_bool());
    EXPECT_EQ(status.text("/userId"), "ada");
    EXPECT_GE(status.number("/uptimeMs"), 2000);
}

TEST(RestStatus, IsNotFullyOperationalWhereAnySystemIsNot) {
    RestRig cut;
    cut.sim_store().set_cut(true);
    const Answer without_store = cut.ask("GET", "/api/v1/status");
    EXPECT_FALSE(without_store.at("/isFullyOperational")->as_bool());
    EXPECT_FALSE(without_store.at("/storage/healthy")->as_bool());
    EXPECT_NE(without_store.text("/storage/problem"), "");
    RestRig off;
    off.change_settings().enable_websocket = false;
    EXPECT_FALSE(off.ask("GET", "/api/v1/status").at("/isFullyOperational")->as_bool());
}

TEST(RestStatus, StoreAndBusAreSaidByTheNamesOfTheSystemsThatTheyAre) {
    for (const auto& [name, part] : {std::pair{"mongodb", "storage"}, {"redis", "bus"}}) {
        RestRig rig;
        (name[0] == 'm' ? rig.change_settings().enable_mongodb
                        : rig.change_settings().enable_redis) = true;
        rig.sim_store().set_cut(name[0] == 'm');
        const Answer status = rig.ask("GET", "/api/v1/status");
        const auto& system = status.at(std::string("/") + name)->get_object();
        boost::json::object same = status.at(std::string("/") + part)->get_object();
        same.erase("kind");
        EXPECT_EQ(system, same);
        EXPECT_TRUE(system.at("enabled").as_bool());
        EXPECT_EQ(system.at("connected").as_bool(), name[0] == 'r');
        EXPECT_EQ(system.contains("problem"), name[0] == 'm');
        EXPECT_EQ(status.at("/isFullyOperational")->as_bool(), name[0] == 'r');
    }
}

TEST(RestStatus, WithoutMongoDBTheServerLivesAndIsNotReady) {
    RestRig rig;
    rig.change_settings().enable_mongodb = true;
    rig.sim_store().set_cut(true);
    EXPECT_EQ(rig.ask("GET", "/healthz").status, 200) << "a new start would not mend it";
    EXPECT_EQ(rig.ask("GET", "/readyz").status, 503);
    rig.sim_store().set_cut(false);
    EXPECT_EQ(rig.ask("GET", "/readyz").status, 200);
}

TEST(RestStatus, PushesThatAreSwitchedOffAreSaidAndRefused) {
    RestRig rig;
    EXPECT_TRUE(rig.ask("GET", "/api/v1/status").at("/realTimeEvents")->as_bool());
    rig.change_settings().enable_real_time_events = false;
    EXPECT_FALSE(rig.ask("GET", "/api/v1/status").at("/realTimeEvents")->as_bool());
    EXPECT_EQ(rig.ask("GET", "/api/v1/events/stream").status, 403);
}

TEST(RestStatus, ProbesSayOnlyWhetherItIsWell) {
    RestRig rig;
    EXPECT_EQ(rig.ask("GET", "/healthz").body, "ok\n");
    EXPECT_EQ(rig.ask("GET", "/readyz").status, 200);
    rig.drains = true;
    EXPECT_EQ(rig.ask("GET", "/healthz").status, 200);
    EXPECT_EQ(rig.ask("GET", "/readyz").status, 503);
    rig.sim_store().set_cut(true);
    const Answer degraded = rig.ask("GET", "/healthz");
    EXPECT_EQ(degraded.status, 503);
    EXPECT_EQ(degraded.body, "degraded\n");
    EXPECT_EQ(rig.ask("POST", "/healthz").header("Allow"), "GET, HEAD, OPTIONS");
}

TEST(RestStatus, MetricsAreInThePrometheusFormat) {
    RestRig rig;
    const Answer metrics = rig.ask("GET", "/metrics");
    EXPECT_EQ(metrics.type, "text/plain; version=0.0.4");
    EXPECT_NE(metrics.body.find("# TYPE dyad_events_committed_total counter"), std::string::npos);
}

TEST(RestModes, SettingAModeIsATransition) {
    RestRig rig;
    const Answer set =
        rig.ask("PUT", "/api/v1/modes/desk",
                R"({"currentMode":"didactic","configuration":{"p":1},"transitionDuration":12})");
    EXPECT_EQ(set.status, 201);  // its first one
    EXPECT_EQ(set.text("/mode/currentMode"), "didactic");
    rig.ask("PUT", "/api/v1/modes/desk", R"({"mode":"parallel"})");
    const Answer one = rig.ask("GET", "/api/v1/modes/desk");
    EXPECT_EQ(one.text("/previousMode"), "didactic");
    EXPECT_TRUE(one.at("/capabilities/multiChannel")->as_bool());
    EXPECT_EQ(one.header("ETag"), "\"" + std::to_string(one.number("/syncVersion")) + "\"");
    EXPECT_EQ(rig.ask("GET", "/api/v1/modes").at("/modes")->get_array().size(), 1U);
    const Answer transitions = rig.ask("GET", "/api/v1/transitions?instance=desk");
    EXPECT_EQ(transitions.text("/transitions/0/currentMode"), "parallel");
    EXPECT_EQ(transitions.text("/transitions/1/currentMode"), "didactic");
    EXPECT_EQ(
        rig.ask("GET", "/api/v1/transitions?instance=no").at("/transitions")->get_array().size(),
        0U);
    EXPECT_EQ(rig.ask("GET", "/api/v1/modes/none").status, 404);
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/desk", R"({"mode":"fast"})").status, 400);
    EXPECT_EQ(rig.ask("PUT", "/api/v1/modes/desk", "{}").status, 400);
    EXPECT_EQ(rig.ask("GET", "/api/v1/instances").text("/instances/0/mode/currentMode"),
              "parallel");
}

// All transitions by pages of `limit`; how many pages that took.
std::size_t walk_transitions(RestRig& rig, std::size_t limit, std::vector<std::string>& modes) {
    std::string target = "/api/v1/transitions?limit=" + std::to_string(limit);
    for (std::size_t pages = 1;; ++pages) {
        const Answer page = rig.ask("GET", target);
        for (const json::Value& mode : page.at("/transitions")->get_array())
            modes.emplace_back(mode.at("instanceId").as_string());
        const std::string link = page.header("Link");
        EXPECT_EQ(link.empty(), page.at("/next")->is_null());
        if (link.empty() || pages == 100) return pages;
        EXPECT_NE(link.find("before=" + std::to_string(page.number("/next"))), std::string::npos);
        EXPECT_TRUE(link.starts_with("<?")) << "relative to the path that was asked for";
        target = "/api/v1/transitions" + link.substr(1, link.find('>') - 1);
    }
}

TEST(RestModes, TransitionsFollowEachOtherOverPages) {
    RestRig rig;
    for (int i = 0; i < 5; ++i)
        rig.ask("PUT", "/api/v1/modes/i" + std::to_string(i), R"({"mode":"parallel"})");
    for (const std::size_t limit : {1U, 2U, 5U, 6U}) {
        std::vector<std::string> seen;
        walk_transitions(rig, limit, seen);
        EXPECT_EQ(seen, (std::vector<std::string>{"i4", "i3", "i2", "i1", "i0"})) << limit;
    }
}

TEST(RestModes, APageOfTransitionsEndsWhereItGetsTooLarge) {
    RestRig rig;
    const std::string snapshot(200'000, 'x');
    const std::size_t count = limits::page_bytes_max / snapshot.size() + 5;
    for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(rig.ask("PUT", "/api/v1/modes/desk",
                          R"({"mode":"parallel","contextSnapshot":{"text":")" + snapshot + "\"}}")
                      .status,
                  i == 0 ? 201 : 200);
    std::vector<std::string> seen;
    EXPECT_EQ(walk_transitions(rig, limits::page_items_max, seen), 2U);
    EXPECT_EQ(seen.size(), count);
}

TEST(RestResponses, TheTextIsHashedAndNotKept) {
    RestRig rig;
    const Answer made =
        rig.ask("POST", "/api/v1/responses",
                R"({"chatId":"c","messageId":"m","mode":"parallel","sourceType":"harmonized",
            "provider":"dyad","model":"merge","confidence":0,"responseText":"abc",
            "sources":[{"sourceType":"local","provider":"ollama","model":"llama",
                        "responseText":"abd","confidence":0.5,"inputTokens":7}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.text("/response/final/responseHash"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(made.body.find("\"abc\""), std::string::npos);
    EXPECT_EQ(made.number("/response/final/confidence"), 0);  // 0 is a value, not an absence
    EXPECT_EQ(made.number("/response/sources/0/inputTokens"), 7);
    EXPECT_EQ(
        rig.ask("GET", "/api/v1/responses?chat=c&provider=ollama").text("/responses/0/messageId"),
        "m");
    EXPECT_EQ(rig.ask("GET", "/api/v1/responses?chat=d").at("/responses")->get_array().size(), 0U);
}

TEST(RestResponses, NamesWhatIsMissing) {
    RestRig rig;
    const Answer none = rig.ask("POST", "/api/v1/responses",
                                R"({"chatId":"c","messageId":"m","mode":"parallel",
                                    "sourceType":"local","provider":"p","model":"m"})");
    EXPECT_EQ(none.status, 400);
    EXPECT_NE(none.text("/detail").find("responseHash"), std::string::npos);
    const Answer chat = rig.ask("POST", "/api/v1/responses",
                                R"({"messageId":"m","mode":"parallel","sourceType":"local",
                                    "provider":"p","model":"m","responseHash":"aa"})");
    EXPECT_EQ(chat.status, 400);
    EXPECT_NE(chat.text("/detail").find("chatId"), std::string::npos);
    rig.change_settings().enable_glass_box_tracking = false;
    const Answer off = rig.ask("POST", "/api/v1/responses",
                               R"({"chatId":"c","messageId":"m","mode":"parallel",
                                   "sourceType":"local","provider":"p","model":"m",
                                   "responseHash":"aa"})");
    EXPECT_EQ(off.status, 403);
    EXPECT_EQ(off.text("/code"), "switched_off");
    EXPECT_FALSE(off.at("/retry")->as_bool());  // nothing a client can do makes it succeed
    EXPECT_EQ(off.header("Retry-After"), "");
    EXPECT_NE(off.text("/detail").find("ENABLE_GLASS_BOX_TRACKING"), std::string::npos);
    EXPECT_EQ(rig.ask("GET", "/api/v1/responses").at("/responses")->get_array().size(), 0U);
}

TEST(RestPaths, WhatIsNotThereIsAProblemDocument) {
    RestRig rig;
    for (const char* path : {"/api/v1/nothing", "/nothing", "/api/v1/", "/api/v2/status",
                             "/api/v1/status/x", "/api/v1/contexts/a/b", "/assets/../x",
                             "/assets/status.css.map", "/api/v1/conflicts/1"}) {
        const Answer answer = rig.ask("GET", path);
        EXPECT_EQ(answer.status, 404) << path;
        EXPECT_EQ(answer.type, "application/problem+json") << path;
        EXPECT_EQ(answer.text("/code"), "not_found") << path;
    }
}

TEST(RestPaths, AWrongMethodNamesTheRightOnes) {
    RestRig rig;
    const std::pair<const char*, const char*> cases[] = {
        {"/api/v1/status", "GET, HEAD"},
        {"/api/v1/contexts", "GET, HEAD"},
        {"/api/v1/contexts/k", "GET, HEAD, PUT, PATCH, DELETE"},
        {"/api/v1/contexts/k/history", "GET, HEAD"},
        {"/api/v1/contexts/k/restore", "POST"},
        {"/api/v1/modes/i", "GET, HEAD, PUT"},
        {"/api/v1/responses", "GET, HEAD, POST"},
        {"/api/v1/events/mcp", "POST"},
        {"/api/v1/conflicts/1.1/resolve", "POST"},
        {"/", "GET, HEAD"},
    };
    for (const auto& [path, allowed] : cases) {
        const Answer asked = rig.ask("OPTIONS", path);
        EXPECT_EQ(asked.status, 204) << path;
        EXPECT_EQ(asked.header("Allow"), std::string(allowed) + ", OPTIONS") << path;
        const bool posts = std::string_view(allowed).find("POST") != std::string_view::npos;
        const Answer answer = rig.ask(posts ? "DELETE" : "POST", path);
        EXPECT_EQ(answer.status, 405) << path;
        EXPECT_EQ(answer.header("Allow"), asked.header("Allow")) << path;
        EXPECT_EQ(answer.text("/code"), "method_not_allowed") << path;
    }
}

TEST(RestPaths, UnknownParametersAreNamed) {
    RestRig rig;
    const std::pair<const char*, const char*> cases[] = {
        {"GET", "/api/v1/status?colour=1"},     {"GET", "/api/v1/contexts?colour=1"},
        {"GET", "/api/v1/contexts/k?colour=1"}, {"GET", "/api/v1/events?colour=1"},
        {"GET", "/api/v1/search?q=a&colour=1"}, {"PUT", "/api/v1/contexts/k?colour=1"},
        {"PUT", "/api/v1/modes/i?colour=1"},    {"DELETE", "/api/v1/contexts/k?colour=1"},
    };
    for (const auto& [method, path] : cases) {
        const bool writes = std::string(method) == "PUT";
        const Answer answer =
            rig.ask(method, path, writes ? R"({"data":{},"mode":"parallel"})" : "");
        EXPECT_EQ(answer.status, 400) << path;
        EXPECT_NE(answer.text("/detail").find("colour"), std::string::npos) << path;
    }
    for (const char* path :
         {"/api/v1/contexts?limit=0", "/api/v1/contexts?limit=1001", "/api/v1/contexts?limit=ten",
          "/api/v1/responses?before=-1", "/api/v1/search?q=a&limit=0", "/api/v1/status?=1"})
        EXPECT_EQ(rig.ask("GET", path).status, 400) << path;
    EXPECT_EQ(rig.ask("GET", "/api/v1/search").text("/code"), "missing_field");
}

TEST(RestPaths, BodiesMustBeJsonObjects) {
    RestRig rig;
    const std::string path = "/api/v1/contexts/k";
    EXPECT_EQ(rig.ask("PUT", path, "{}", {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(rig.ask("PUT", path).status, 415);
    EXPECT_EQ(rig.ask("PUT", path, "{").text("/code"), "invalid_json");
    EXPECT_EQ(rig.ask("PUT", path, "[]").text("/code"), "invalid_field");
    EXPECT_EQ(rig.ask("PUT", path, "{\"data\":{},\"data\":{}}").text("/code"), "invalid_field");
    EXPECT_EQ(rig.ask("PUT", path, "{\"data\":\"\xff\"}").text("/code"), "invalid_utf8");
    EXPECT_EQ(rig.ask("PUT", path, R"({"data":[]})").status, 400);
    EXPECT_EQ(rig.ask("PUT", path, "{}").text("/code"), "missing_field");
    EXPECT_EQ(rig.ask("PUT", path, R"({"data":{}})",
                      {{"Content-Type", "application/json; charset=utf-8"}})
                  .status,
              201);
}

TEST(RestPaths, AnUnreachableStoreIsARetryableError) {
    RestRig rig;
    rig.sim_store().set_cut(true);
    const auto exchange = rig.open("GET", "/api/v1/contexts");
    for (int second = 0; second < 30 && !exchange->answer; ++second) {
        rig.run(1000);
        rig.engine().tick();
    }
    ASSERT_TRUE(exchange->answer.has_value());
    EXPECT_EQ(exchange->answer->status, 503);
    const auto& headers = exchange->answer->headers;
    EXPECT_TRUE(std::any_of(headers.begin(), headers.end(),
                            [](const auto& header) { return header.first == "Retry-After"; }));
}

TEST(RestPages, ThePageRunsUnderAPolicyWithoutInlineScript) {
    RestRig rig;
    const Answer page = rig.ask("GET", "/");
    EXPECT_EQ(page.type, "text/html; charset=utf-8");
    EXPECT_NE(page.header("Content-Security-Policy").find("script-src 'self'"), std::string::npos);
    EXPECT_EQ(page.header("Content-Security-Policy").find("unsafe"), std::string::npos);
    EXPECT_EQ(page.body.find("<style"), std::string::npos);
    EXPECT_EQ(page.body.find(" style="), std::string::npos);
    EXPECT_EQ(page.body.find(" onclick"), std::string::npos);
    const Answer script = rig.ask("GET", "/assets/status.js");
    EXPECT_EQ(script.type, "text/javascript; charset=utf-8");
    EXPECT_EQ(script.body.find("innerHTML"), std::string::npos);
    EXPECT_EQ(rig.ask("GET", "/assets/status.css").status, 200);
    const Answer description = rig.ask("GET", "/api/v1/openapi.yaml");
    EXPECT_EQ(description.type, "application/yaml");
    EXPECT_TRUE(description.body.starts_with("openapi: 3.1"));
}

}  // namespace
}  // namespace dyad
