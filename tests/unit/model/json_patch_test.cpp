#include "model/json_patch.hpp"

#include "support/json_reference.hpp"
#include "support/json_values.hpp"

#include <boost/json/array.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::json {
namespace {

using Tokens = std::vector<std::string>;

TEST(JsonPointer, ReadsTheExamplesOfRfc6901) {
    Value document = *parse(R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,
        "i\\j":5,"k\"l":6," ":7,"m~n":8})");
    const std::pair<const char*, const char*> kExamples[] = {{"/foo", R"(["bar","baz"])"},
                                                             {"/foo/0", "\"bar\""},
                                                             {"/", "0"},
                                                             {"/a~1b", "1"},
                                                             {"/c%d", "2"},
                                                             {"/e^f", "3"},
                                                             {"/g|h", "4"},
                                                             {"/i\\j", "5"},
                                                             {"/k\"l", "6"},
                                                             {"/ ", "7"},
                                                             {"/m~0n", "8"}};
    for (const auto& [pointer, expected] : kExamples) {
        const Value* found = find_in(document, *parse_pointer(pointer));
        ASSERT_NE(found, nullptr) << pointer;
        EXPECT_EQ(canonical(*found), expected) << pointer;
    }
    EXPECT_EQ(find_in(document, *parse_pointer("")), &document);
}

TEST(JsonPointer, FindsNothingWhereATokenIsNoIndexOrNoName) {
    Value document = *parse(R"({"a":[1,2]})");
    for (const char* pointer : {"/a/2", "/a/-", "/a/01", "/a/+1", "/a/1x", "/a/", "/b", "/a/0/0",
                                "/a/99999999999999999999"})
        EXPECT_EQ(find_in(document, *parse_pointer(pointer)), nullptr) << pointer;
}

TEST(JsonPointer, EscapesInTheOrderThatKeepsTildeOne) {
    EXPECT_EQ(*parse_pointer("/~01"), Tokens{"~1"});
    EXPECT_EQ(to_pointer(Tokens{"~1", "a/b", ""}), "/~01/a~1b/");
    for (const char* bad : {"a", "/~", "/~2", "/a~", " /a"})
        EXPECT_EQ(parse_pointer(bad).error().code, Errc::invalid_field) << bad;
    EXPECT_TRUE(rc::check(
        [](const Tokens& tokens) { RC_ASSERT(*parse_pointer(to_pointer(tokens)) == tokens); }));
}

TEST(SetAt, PutsReplacesAndRemoves) {
    const auto set = [](const char* document, const char* path, const char* value) {
        const std::optional<Value> put = value ? std::optional(*parse(value)) : std::nullopt;
        const auto result = set_at(*parse(document), *parse_pointer(path), put);
        return result ? canonical(*result) : std::string(error_row(result.error().code).name);
    };
    EXPECT_EQ(set(R"({"a":1})", "", "2"), "2");
    EXPECT_EQ(set(R"({"a":1})", "/a", "2"), R"({"a":2})");
    EXPECT_EQ(set(R"({"a":1})", "/b", "2"), R"({"a":1,"b":2})");
    EXPECT_EQ(set(R"({"a":1})", "/b/c", "2"), R"({"a":1,"b":{"c":2}})");
    EXPECT_EQ(set(R"({"a":[1,2]})", "/a/0", "3"), R"({"a":[3,2]})");
    EXPECT_EQ(set(R"({"a":[1,2]})", "/a/2", "3"), R"({"a":[1,2,3]})");
    EXPECT_EQ(set(R"({"a":[1,2]})", "/a/-", "3"), R"({"a":[1,2,3]})");
    EXPECT_EQ(set(R"({"a":[1,2]})", "/a/3", "3"), "patch_failed");
    EXPECT_EQ(set(R"({"a":1})", "/a/b", "2"), "patch_failed");
    EXPECT_EQ(set(R"({"a":1,"b":2})", "/a", nullptr), R"({"b":2})");
    EXPECT_EQ(set(R"({"a":[1,2]})", "/a/0", nullptr), R"({"a":[2]})");
    EXPECT_EQ(set(R"({"a":1})", "/b/c", nullptr), R"({"a":1})");
    EXPECT_EQ(set(R"({"a":1})", "", nullptr), "invalid_field");
    EXPECT_EQ(set_at(Value(), Tokens(31, "a"), *parse("[[]]")).error().code, Errc::too_large);
}

// RFC 7396, appendix A: target, patch, result.
TEST(MergePatch, GivesTheResultsOfRfc7396AppendixA) {
    const char* const kTable[][3] = {
        {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {R"({"a":"b"})", R"({"a":null})", R"({})"},
        {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
        {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
        {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
        {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
        {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
        {R"({"a":"foo"})", R"(null)", R"(null)"},
        {R"({"a":"foo"})", R"("bar")", R"("bar")"},
        {R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
        {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}};
    for (const auto& [target, patch, result] : kTable)
        EXPECT_EQ(canonical(merge_patch(*parse(target), *parse(patch))), result) << patch;
}

TEST(MergePatch, AgreesWithThePseudocodeOfTheRfc) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const Value target = source.value();
        const Value patch = source.version(target);
        RC_ASSERT(canonical(merge_patch(target, patch)) ==
                  canonical(test::reference_merge_patch(target, patch)));
    }));
}

struct PatchExample {
    const char* document;
    const char* patch;
    const char* result;  // or the error's name and its detail
};

std::string patched(const PatchExample& example) {
    const auto result = apply_patch(*parse(example.document), *parse(example.patch));
    return result ? canonical(*result) : result.error().to_string();
}

// RFC 6902, appendix A, by section. A.13 is refused when the patch is read: a repeated member.
constexpr PatchExample kRfc6902[] = {
    {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
     R"({"baz":"qux","foo":"bar"})"},
    {R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])",
     R"({"foo":["bar","qux","baz"]})"},
    {R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])", R"({"foo":"bar"})"},
    {R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])",
     R"({"foo":["bar","baz"]})"},
    {R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
     R"({"baz":"boo","foo":"bar"})"},
    {R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
     R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
     R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
    {R"({"foo":["all","grass","cows","eat"]})",
     R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
     R"({"foo":["all","cows","eat","grass"]})"},
    {R"({"baz":"qux","foo":["a",2,"c"]})",
     R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
     R"({"baz":"qux","foo":["a",2,"c"]})"},
    {R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])",
     R"(patch_failed: patch operation 0 (test "/baz"): the value at path is another one)"},
    {R"({"foo":"bar"})", R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
     R"({"child":{"grandchild":{}},"foo":"bar"})"},
    {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])",
     R"({"baz":"qux","foo":"bar"})"},
    {R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])",
     R"(patch_failed: patch operation 0 (add "/baz/bat"): the parent of path does not exist)"},
    {R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])", R"({"/":9,"~1":10})"},
    {R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])",
     R"(patch_failed: patch operation 0 (test "/~01"): the value at path is another one)"},
    {R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
     R"({"foo":["bar",["abc","def"]]})"},
};

TEST(JsonPatch, GivesTheResultsOfRfc6902AppendixA) {
    for (const PatchExample& example : kRfc6902)
        EXPECT_EQ(patched(example), example.result) << example.patch;
    EXPECT_EQ(parse(R"([{"op":"add","path":"/a","value":1,"op":"remove"}])").error().code,
              Errc::invalid_field);
}

constexpr PatchExample kMorePatches[] = {
    {R"({"a":1})", R"([])", R"({"a":1})"},
    {R"({"a":1})", R"([{"op":"add","path":"","value":[1]}])", R"([1])"},
    {R"({"a":1})", R"([{"op":"replace","path":"","value":2}])", R"(2)"},
    {R"({"a":1})", R"([{"op":"add","path":"/a","value":null}])", R"({"a":null})"},
    {R"({"a":[1]})", R"([{"op":"copy","from":"","path":"/b"}])", R"({"a":[1],"b":{"a":[1]}})"},
    {R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/a/0"}])", R"({"a":[[1],1]})"},
    {R"({"a":[1]})", R"([{"op":"move","from":"/a","path":""}])", R"([1])"},
    {R"({"a":[1]})", R"([{"op":"move","from":"/a","path":"/a"}])", R"({"a":[1]})"},
    {R"({"a":1.0})", R"([{"op":"test","path":"/a","value":1}])", R"({"a":1})"},
    {R"([1,2])", R"([{"op":"add","path":"/2","value":3}])", R"([1,2,3])"},
};

TEST(JsonPatch, AppliesAtTheEdges) {
    for (const PatchExample& example : kMorePatches)
        EXPECT_EQ(patched(example), example.result) << example.patch;
}

TEST(JsonPatch, NamesTheOperationThatDoesNotApply) {
    const std::pair<const char*, const char*> kFailing[] = {
        {R"({"op":"remove","path":"/x"})", "(remove \"/x\"): nothing stands at path"},
        {R"({"op":"remove","path":""})", "(remove \"\"): the whole document cannot be removed"},
        {R"({"op":"replace","path":"/x","value":1})", "(replace \"/x\"): nothing stands at path"},
        {R"({"op":"add","path":"/l/3","value":1})", "(add \"/l/3\"): path is not an index"},
        {R"({"op":"add","path":"/l/01","value":1})", "(add \"/l/01\"): path is not an index"},
        {R"({"op":"add","path":"/n/x","value":1})",
         "(add \"/n/x\"): the parent of path is neither"},
        {R"({"op":"remove","path":"/l/-"})", "(remove \"/l/-\"): nothing stands at path"},
        {R"({"op":"move","from":"/x","path":"/y"})", "(move \"/y\"): nothing stands at from"},
        {R"({"op":"move","from":"/l","path":"/l/0"})", "(move \"/l/0\"): a value cannot be moved"},
        {R"({"op":"copy","from":"/x","path":"/y"})", "(copy \"/y\"): nothing stands at from"},
        {R"({"op":"test","path":"/x","value":null})", "(test \"/x\"): nothing stands at path"}};
    Value document = *parse(R"({"l":[1,2],"n":5})");
    for (const auto& [operation, detail] : kFailing) {
        const std::string text =
            std::string(R"([{"op":"add","path":"/new","value":1},)") + operation;
        const auto result = apply_patch(document, *parse(text + "]"));
        ASSERT_FALSE(result) << operation;
        EXPECT_EQ(result.error().code, Errc::patch_failed) << operation;
        EXPECT_TRUE(result.error().detail.starts_with(std::string("patch operation 1 ") + detail))
            << result.error().detail;
    }
    EXPECT_EQ(canonical(document), R"({"l":[1,2],"n":5})");
}

TEST(JsonPatch, RefusesAMalformedPatchWhateverTheDocument) {
    for (const char* patch :
         {"{}", "null", "[1]", "[{}]", R"([{"op":"add","path":"/a"}])",
          R"([{"op":"add","value":1}])", R"([{"op":"spam","path":"/a"}])",
          R"([{"op":1,"path":"/a"}])", R"([{"op":"test","path":"/a"}])",
          R"([{"op":"remove","path":"a"}])", R"([{"op":"remove","path":"/~"}])",
          R"([{"op":"remove","path":7}])", R"([{"op":"move","path":"/a"}])",
          R"([{"op":"copy","path":"/a","from":null}])", R"([{"op":"replace","path":"/a"}])",
          R"([{"op":"remove","path":"/missing"},{"op":"Add","path":"/a","value":1}])"})
        EXPECT_EQ(apply_patch(*parse("{}"), *parse(patch)).error().code, Errc::invalid_field)
            << patch;
}

TEST(JsonPatch, StopsCopiesThatWouldBlowUp) {
    boost::json::array doublings;
    for (int i = 0; i < 25; ++i)
        doublings.push_back(*parse(R"({"op":"copy","from":"/a","path":"/a/-"})"));
    const auto deep = apply_patch(*parse(R"({"a":["x"]})"), doublings);
    EXPECT_EQ(deep.error().code, Errc::too_large);

    boost::json::array copies;
    for (int i = 0; i < 100; ++i)
        copies.push_back(Value{{"op", "copy"}, {"from", "/a"}, {"path", "/b" + std::to_string(i)}});
    const Value document{{"a", std::string(1000, 'x')}};
    EXPECT_EQ(apply_patch(document, copies, 50000).error().code, Errc::too_large);
    EXPECT_TRUE(apply_patch(document, copies, 200000));

    boost::json::array overwrites;
    for (int i = 0; i < 100; ++i)
        overwrites.push_back(Value{{"op", "copy"}, {"from", "/a"}, {"path", "/b"}});
    EXPECT_EQ(apply_patch(document, overwrites, 50000).error().code, Errc::too_large);
    EXPECT_TRUE(apply_patch(document, overwrites, 200000));
}

TEST(JsonPatch, BoundsTheDepthAtEveryStepNotOnlyAtTheEnd) {
    std::string inner = "0";
    std::string path;
    for (int i = 0; i < 20; ++i) {
        inner = R"({"k":)" + inner + "}";
        path += "/k";
    }
    Value document = *parse(inner);
    const std::string remove = R"(,{"op":"remove","path":"/k"}])";
    for (const std::string& step :
         {R"([{"op":"add","path":")" + path + R"(","value":)" + inner + "}",
          R"([{"op":"replace","path":")" + path + R"(","value":)" + inner + "}",
          R"([{"op":"copy","from":"","path":")" + path + R"("})"})
        EXPECT_EQ(apply_patch(document, *parse(step + remove)).error().code, Errc::too_large);
    EXPECT_TRUE(apply_patch(document, *parse("[" + remove.substr(1))));
}

TEST(JsonPatch, KeepsTheResultWithinTheLimits) {
    const Value add = *parse(R"([{"op":"add","path":"/a","value":"0123456789"}])");
    EXPECT_TRUE(apply_patch(*parse("{}"), add, 18));
    EXPECT_EQ(apply_patch(*parse("{}"), add, 17).error().code, Errc::too_large);
    const std::string name(257, 'k');
    const std::string patch = R"([{"op":"add","path":"/)" + name + R"(","value":1}])";
    EXPECT_EQ(apply_patch(*parse("{}"), *parse(patch)).error().code, Errc::too_large);
}

}  // namespace
}  // namespace dyad::json
