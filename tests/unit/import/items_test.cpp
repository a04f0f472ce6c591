#include "import/items.hpp"

#include "import/graph.hpp"
#include "model/json.hpp"

#include <gtest/gtest.h>

namespace dyad::import {
namespace {

std::vector<Item> read(Format format, std::string_view text) {
    const Result<std::vector<Item>> items = read_items(format, text, "p/CLAUDE.md");
    EXPECT_TRUE(items) << (items ? "" : items.error().to_string());
    return items ? *items : std::vector<Item>();
}

std::string refused(Format format, std::string_view text) {
    const Result<std::vector<Item>> items = read_items(format, text, "p");
    return items ? std::string() : items.error().detail;
}

// As the server of version 2026.8.31 writes it.
constexpr std::string_view kGraph =
    R"({"type":"entity","name":"Ada","entityType":"person","observations":["writes","counts"]})"
    "\n"
    R"({"type":"entity","name":"Engine","entityType":"machine","observations":[]})"
    "\n"
    R"({"type":"relation","from":"Ada","to":"Engine","relationType":"works on"})";

TEST(ImportReference, MakesOneContextOfEachEntityAndRelation) {
    const auto items = read(Format::reference, kGraph);
    ASSERT_EQ(items.size(), 3U);
    EXPECT_EQ(items[0].key, "entity:Ada");
    EXPECT_EQ(items[0].data,
              R"({"entityType":"person","name":"Ada","observations":["writes","counts"]})");
    EXPECT_EQ(items[2].key, "relation:Ada/works on/Engine");
    EXPECT_EQ(items[2].line, 3U);
    for (const Item& item : items)
        EXPECT_EQ(item.data, *json::canonicalize(item.data));
}

TEST(ImportReference, AnEntityThatStandsTwiceIsOneWithAllItsObservations) {
    const auto items =
        read(Format::reference,
             R"({"type":"entity","name":"Ada","entityType":"person","observations":["a","b"]})"
             "\n\n"
             R"({"type":"entity","name":"Ada","entityType":"person","observations":["b","c"]})");
    ASSERT_EQ(items.size(), 1U);
    EXPECT_NE(items[0].data.find(R"(["a","b","c"])"), std::string::npos);
}

TEST(ImportReference, ErrorsNameTheLineAndTheField) {
    EXPECT_EQ(refused(Format::reference, "{\"type\":\"entity\",\"name\":\"x\"}"),
              "line 1: entityType: is required");
    EXPECT_EQ(
        refused(Format::reference, std::string(kGraph) +
                                       "\n{\"type\":\"entity\",\"name\":\"x\",\"entityType\":\"t\","
                                       "\"observations\":[1]}"),
        "line 4: observations: must be an array of strings");
    EXPECT_EQ(refused(Format::reference, "{\"type\":\"thing\"}"),
              "line 1: type: must be entity or relation");
    EXPECT_TRUE(
        refused(Format::reference, std::string(kGraph) + "\n{\"type\":").starts_with("line 4: "));
    EXPECT_TRUE(refused(Format::reference, "[]").starts_with("line 1: must be a JSON object"));
    EXPECT_TRUE(refused(Format::reference, "{}\n\xff").starts_with("line 2: is not UTF-8"));
}

TEST(ImportReference, NamesThatNoKeyCanCarryStandThereByTheirHash) {
    const std::string long_name(400, 'x');
    EXPECT_TRUE(entity_key(long_name).starts_with("entity:#"));
    EXPECT_LE(entity_key(long_name).size(), 256U);
    EXPECT_NE(entity_key(long_name), entity_key(long_name + "x"));
    EXPECT_TRUE(entity_key("a\nb").starts_with("entity:#"));
    // Parts of a relation never run together.
    EXPECT_NE(key_of(Relation{"a/b", "c", "t"}), key_of(Relation{"a", "c", "b/t"}));
    EXPECT_NE(key_of(Relation{"a%2F", "c", "t"}), key_of(Relation{"a/", "c", "t"}));
}

TEST(ImportOpenMemory, ReadsTheExportWithItsCategories) {
    const auto items = read(
        Format::openmemory,
        R"({"user":{"user_id":"ada"},"apps":[],"categories":[{"id":"k1","name":"work"}],)"
        R"("memories":[{"id":"m1","content":"Likes tea.","metadata":{"source":"chat"},)"
        R"("state":"active","created_at":"2026-01-01T00:00:00+00:00","category_ids":["k1"]},)"
        R"({"id":"m2","content":"Gone.","metadata":{},"state":"deleted","category_ids":[]}]})");
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].key, "memory:m1");
    EXPECT_EQ(items[0].tags, std::vector<std::string>{"work"});
    EXPECT_EQ(items[0].data,
              R"({"createdAt":"2026-01-01T00:00:00+00:00","metadata":{"source":"chat"},)"
              R"("text":"Likes tea."})");
}

TEST(ImportOpenMemory, ReadsItsLinesAndTheAnswersOfItsApi) {
    const auto lines = read(
        Format::openmemory,
        "{\"id\":\"m1\",\"content\":\"One.\",\"state\":\"active\",\"app\":\"cursor\","
        "\"categories\":[\"a\"]}\n{\"id\":\"m2\",\"content\":\"Two.\",\"state\":\"paused\"}\n");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].tags, std::vector<std::string>{"a"});
    EXPECT_EQ(lines[0].data, R"({"app":"cursor","text":"One."})");
    const auto answer =
        read(Format::openmemory, R"({"results":[{"id":"m3","memory":"Three.","score":0.5}]})");
    ASSERT_EQ(answer.size(), 1U);
    EXPECT_EQ(answer[0].data, R"({"text":"Three."})");
    const auto unnamed = read(Format::openmemory, R"([{"text":"Four."},{"text":"Four."}])");
    EXPECT_EQ(unnamed.size(), 1U);
}

TEST(ImportOpenMemory, ErrorsNameTheMemoryAndTheField) {
    EXPECT_EQ(refused(Format::openmemory, R"({"memories":[{"content":"a"},{"content":1}]})"),
              "memories.1.content: must be a string");
    EXPECT_EQ(refused(Format::openmemory, R"({"memories":[{"id":"x"}]})"),
              "memories.0.content: is required (or memory, or text)");
    EXPECT_TRUE(refused(Format::openmemory, "PK\x03\x04").starts_with("the file: is packed"));
    EXPECT_NE(refused(Format::openmemory, "{"), "");
}

constexpr std::string_view kNotes =
    "---\nalwaysApply: true\n---\nBefore.\n"
    "# Building\nUse `x build`.\n\n"
    "```sh\n# no heading\n```\n"
    "## Tests ##\nAll of them.\n"
    "# Building\nAgain.\n"
    "# Empty\n"
    "#hashtag is text\n";

TEST(ImportMarkdown, MakesOneContextOfEachSection) {
    const auto items = read(Format::markdown, kNotes);
    ASSERT_EQ(items.size(), 5U);
    EXPECT_EQ(items[0].key, "notes:p/CLAUDE.md");
    EXPECT_EQ(items[1].key, "notes:p/CLAUDE.md#building");
    EXPECT_EQ(items[1].data, R"({"file":"p/CLAUDE.md","headings":["Building"],"text":)"
                             R"("Use `x build`.\n\n```sh\n# no heading\n```"})");
    EXPECT_EQ(items[1].line, 5U);
    EXPECT_EQ(items[2].key, "notes:p/CLAUDE.md#building/tests");
    EXPECT_EQ(items[3].key, "notes:p/CLAUDE.md#building-2");
    EXPECT_EQ(items[4].key, "notes:p/CLAUDE.md#empty");
}

TEST(ImportMarkdown, ASectionThatIsTooLargeIsNamed) {
    const std::string text = "# A\nx\n# B\n" + std::string(300'000, 'y');
    EXPECT_TRUE(refused(Format::markdown, text).starts_with("line 3: the section is larger"));
}

TEST(ImportFormat, IsToldByTheNameOrTheBeginning) {
    EXPECT_EQ(format_of("CLAUDE.md", ""), Format::markdown);
    EXPECT_EQ(format_of("rules/a.mdc", "{"), Format::markdown);
    EXPECT_EQ(format_of("memory.jsonl", kGraph), Format::reference);
    EXPECT_EQ(format_of("memories.json", R"({"memories":[]})"), Format::openmemory);
    EXPECT_EQ(format_of("notes.txt", "hello"), std::nullopt);
}

TEST(ImportGraph, AContextOfAnotherShapeIsNoEntity) {
    Context context{.key = "entity:x", .data = R"({"name":"x"})"};
    EXPECT_FALSE(entity_of(context));
    context.data = data_of(Entity{"x", "t", {"o"}});
    ASSERT_TRUE(entity_of(context));
    EXPECT_EQ(entity_of(context)->observations, std::vector<std::string>{"o"});
    context.deleted = true;
    EXPECT_FALSE(entity_of(context));
}

}  // namespace
}  // namespace dyad::import
