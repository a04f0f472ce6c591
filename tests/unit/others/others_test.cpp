#include "server/mcp/others/others.hpp"

#include "server/mcp/others/batch.hpp"
#include "support/mcp_rig.hpp"

#include <gtest/gtest.h>

namespace dyad::server::mcp {
namespace {

using test::FakeCallPtr;

class OtherServers : public testing::Test {
  protected:
    static Handler handler(const Registry& registry, std::string_view tool) {
        for (const Tool& one : registry.tools)
            if (one.name == tool) return one.call;
        CHECK(false);
    }
    FakeCallPtr begin(std::string_view tool, std::string arguments) {
        const bool graph = tool.find("memor") == std::string_view::npos;
        return rig.begin(handler(graph ? reference_registry() : openmemory_registry(), tool),
                         std::move(arguments));
    }
    FakeCallPtr call(std::string_view tool, std::string arguments) {
        FakeCallPtr made = begin(tool, std::move(arguments));
        rig.rig.run();
        CHECK(made->answered());
        return made;
    }
    std::string structure(std::string_view tool, std::string arguments) {
        const FakeCallPtr made = call(tool, std::move(arguments));
        EXPECT_EQ(made->how, "content") << made->detail;
        const json::Value* const found = made->at("/structuredContent");
        return found != nullptr ? json::canonical(*found) : "";
    }

    test::McpRig rig;
};

constexpr const char* kAda =
    R"({"entities":[{"name":"Ada","entityType":"person","observations":["writes"],"more":1},)"
    R"({"name":"Engine","entityType":"machine","observations":[]}]})";
constexpr const char* kWorks =
    R"({"relations":[{"from":"Ada","to":"Engine","relationType":"works on"}]})";

TEST_F(OtherServers, TheReferenceToolsAnswerAsThatServerDoes) {
    EXPECT_EQ(structure("create_entities", kAda),
              R"({"entities":[{"entityType":"person","name":"Ada","observations":["writes"]},)"
              R"({"entityType":"machine","name":"Engine","observations":[]}]})");
    EXPECT_EQ(structure("create_entities", kAda), R"({"entities":[]})");
    EXPECT_EQ(structure("create_relations", kWorks),
              R"({"relations":[{"from":"Ada","relationType":"works on","to":"Engine"}]})");
    EXPECT_EQ(structure("create_relations", kWorks), R"({"relations":[]})");
    EXPECT_EQ(structure("add_observations", R"({"observations":[{"entityName":"Ada","contents":)"
                                            R"(["writes","counts"]}]})"),
              R"({"results":[{"addedObservations":["counts"],"entityName":"Ada"}]})");
    const FakeCallPtr graph = call("read_graph", "{}");
    EXPECT_EQ(graph->text("/content/0/text"),
              "{\n  \"entities\": [\n    {\n      \"name\": \"Ada\",\n      \"entityType\": "
              "\"person\",\n      \"observations\": [\n        \"writes\",\n        \"counts\"\n"
              "      ]\n    },\n    {\n      \"name\": \"Engine\",\n      \"entityType\": "
              "\"machine\",\n      \"observations\": []\n    }\n  ],\n  \"relations\": [\n    {\n"
              "      \"from\": \"Ada\",\n      \"to\": \"Engine\",\n      \"relationType\": "
              "\"works on\"\n    }\n  ]\n}");
    EXPECT_EQ(structure("search_nodes", R"({"query":"COUNT"})"),
              R"({"entities":[{"entityType":"person","name":"Ada","observations":["writes",)"
              R"("counts"]}],"relations":[{"from":"Ada","relationType":"works on",)"
              R"("to":"Engine"}]})");
    EXPECT_EQ(structure("open_nodes", R"({"names":["Nobody"]})"),
              R"({"entities":[],"relations":[]})");
}

TEST_F(OtherServers, DeletingAnEntityTakesItsRelationsAlong) {
    call("create_entities", kAda);
    call("create_relations", kWorks);
    EXPECT_EQ(structure("delete_observations", R"({"deletions":[{"entityName":"Ada",)"
                                               R"("observations":["writes"]},)"
                                               R"({"entityName":"Nobody","observations":["x"]}]})"),
              R"({"message":"Observations deleted successfully","success":true})");
    EXPECT_EQ(structure("delete_entities", R"({"entityNames":["Ada","Nobody"]})"),
              R"({"message":"Entities deleted successfully","success":true})");
    EXPECT_EQ(structure("read_graph", "{}"),
              R"({"entities":[{"entityType":"machine","name":"Engine","observations":[]}],)"
              R"("relations":[]})");
    call("create_relations", kWorks);
    EXPECT_EQ(structure("delete_relations", kWorks),
              R"({"message":"Relations deleted successfully","success":true})");
    // What was deleted can be made anew.
    EXPECT_NE(structure("create_entities", kAda).find("Ada"), std::string::npos);
}

TEST_F(OtherServers, WhatManyAddToOneEntityAtOnceIsAllThere) {
    call("create_entities", kAda);
    std::vector<FakeCallPtr> calls;
    for (int i = 0; i < 40; ++i)
        calls.push_back(
            begin("add_observations", R"({"observations":[{"entityName":"Ada","contents":["note )" +
                                          std::to_string(i) + R"("]}]})"));
    rig.rig.run(500);
    for (const FakeCallPtr& one : calls)
        EXPECT_EQ(one->how, "content") << one->detail;
    const FakeCallPtr graph = call("open_nodes", R"({"names":["Ada"]})");
    EXPECT_EQ(graph->count("/structuredContent/entities/0/observations"), 41U);
}

TEST_F(OtherServers, AnObservationOfAnEntityThatIsNotThereWritesNothing) {
    call("create_entities", kAda);
    const FakeCallPtr refused =
        call("add_observations", R"({"observations":[{"entityName":"Ada","contents":["x"]},)"
                                 R"({"entityName":"Nobody","contents":["y"]}]})");
    EXPECT_EQ(refused->how, "failed");
    EXPECT_EQ(refused->detail, "Entity with name Nobody not found");
    EXPECT_EQ(call("open_nodes", R"({"names":["Ada"]})")
                  ->count("/structuredContent/entities/0/observations"),
              1U);
}

TEST_F(OtherServers, ArgumentsThatAreWrongAreNamed) {
    const auto refused = [&](std::string_view tool, const char* arguments) {
        return call(tool, arguments)->detail;
    };
    EXPECT_EQ(refused("create_entities", "{}"), "entities: is required");
    EXPECT_EQ(refused("create_entities", R"({"entities":[{"name":"x","entityType":1}]})"),
              "entities.0.entityType: must be a string");
    EXPECT_EQ(refused("open_nodes", R"({"names":"x"})"), "names: must be an array of strings");
    EXPECT_EQ(refused("add_memories", R"({"text":" "})"), "text: is required");
}

TEST_F(OtherServers, MoreThanOneRoundOfCommandsIsCarriedOut) {
    std::string list;
    for (int i = 0; i < 300; ++i)
        list += (i == 0 ? "" : ",") + std::string(R"({"name":"e)") + std::to_string(i) +
                R"(","entityType":"t","observations":[]})";
    FakeCallPtr made = begin("create_entities", "{\"entities\":[" + list + "]}");
    rig.rig.run(500);
    EXPECT_EQ(made->count("/structuredContent/entities"), 300U);
}

TEST_F(OtherServers, TheToolsOfOpenMemoryKeepFindAndDelete) {
    const FakeCallPtr added = call("add_memories", R"({"text":"Ada likes green tea."})");
    const Result<json::Value> said = json::parse(added->text("/content/0/text"));
    ASSERT_TRUE(said);
    const auto& first = said->at("results").at(0);
    const std::string id(first.at("id").get_string());
    EXPECT_EQ(first.at("event").get_string(), "ADD");
    EXPECT_NE(call("add_memories", R"({"text":"Ada likes green tea."})")
                  ->text("/content/0/text")
                  .find("NONE"),
              std::string::npos);
    call("add_memories", R"({"text":"The harbour opens in May."})");
    const std::string hits =
        call("search_memory", R"({"query":"what tea does she like?"})")->text("/content/0/text");
    EXPECT_NE(hits.find("green tea"), std::string::npos);
    EXPECT_EQ(hits.find("harbour"), std::string::npos);
    EXPECT_NE(call("list_memories", "{}")->text("/content/0/text").find("harbour"),
              std::string::npos);
    EXPECT_EQ(call("delete_memories", R"({"memory_ids":[")" + id + "\"]}")->text("/content/0/text"),
              "Successfully deleted 1 memories");
    EXPECT_EQ(call("delete_memories", R"({"memory_ids":["x"]})")->how, "failed");
    EXPECT_EQ(call("delete_all_memories", "{}")->text("/content/0/text"),
              "Successfully deleted all memories");
    EXPECT_EQ(call("list_memories", "{}")->text("/content/0/text"), "[]");
}

TEST_F(OtherServers, ATextIsIndentedAsEcmaScriptDoes) {
    EXPECT_EQ(others::indented(R"({"a":[],"b":{},"c":["x,{y\"}"],"d":1})"),
              "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    \"x,{y\\\"}\"\n  ],\n  \"d\": 1\n}");
    EXPECT_EQ(others::indented("[]"), "[]");
}

}  // namespace
}  // namespace dyad::server::mcp
