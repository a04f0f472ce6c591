#include "model/merge.hpp"

#include "model/json_patch.hpp"
#include "support/json_reference.hpp"
#include "support/json_values.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::json {
namespace {

std::string text_of(const std::optional<Value>& value) {
    return value ? canonical(*value) : "-";
}

// The merged text, then "; path base ours theirs" for each conflict.
std::string summary(const MergeResult& result) {
    std::string text = canonical(result.merged);
    for (const MergeConflict& conflict : result.conflicts)
        text += "; " + conflict.path + " " + text_of(conflict.base) + " " + text_of(conflict.ours) +
                " " + text_of(conflict.theirs);
    return text;
}

std::string three(const char* base, const char* ours, const char* theirs) {
    return summary(merge3(*parse(base), *parse(ours), *parse(theirs)));
}

std::string two(const char* ours, const char* theirs) {
    return summary(merge2(*parse(ours), *parse(theirs)));
}

TEST(MergeThree, TakesChangesThatDoNotOverlapFromBothSides) {
    EXPECT_EQ(three(R"({"a":1,"b":2})", R"({"a":9,"b":2})", R"({"a":1,"b":8})"),
              R"({"a":9,"b":8})");
    EXPECT_EQ(three(R"({"x":{"a":1,"b":2}})", R"({"x":{"a":9,"b":2}})", R"({"x":{"a":1,"c":3}})"),
              R"({"x":{"a":9,"c":3}})");
    EXPECT_EQ(three(R"({"a":1})", R"({"a":1,"b":2})", R"({"a":1,"c":3})"),
              R"({"a":1,"b":2,"c":3})");
    EXPECT_EQ(three(R"({"a":1,"b":2})", R"({"a":1})", R"({"b":2})"), R"({})");
}

TEST(MergeThree, SeesNoConflictWhereBothSidesDidTheSame) {
    EXPECT_EQ(three(R"({"a":1})", R"({"a":2})", R"({"a":2.0})"), R"({"a":2})");
    EXPECT_EQ(three(R"({"a":1,"b":1})", R"({"b":1})", R"({"b":1})"), R"({"b":1})");
    EXPECT_EQ(three(R"({"l":[1]})", R"({"l":[1,2]})", R"({"l":[1,2]})"), R"({"l":[1,2]})");
}

TEST(MergeThree, KeepsTheStoredValueAndRecordsBothWhereChangesOverlap) {
    EXPECT_EQ(three(R"({"a":1,"b":1})", R"({"a":2,"b":1})", R"({"a":3,"b":5})"),
              R"({"a":2,"b":5}; /a 1 2 3)");
    EXPECT_EQ(three(R"({"x":{"a/b":1}})", R"({"x":{"a/b":2}})", R"({"x":{"a/b":null}})"),
              R"({"x":{"a/b":2}}; /x/a~1b 1 2 null)");
    EXPECT_EQ(three(R"({})", R"({"a":1})", R"({"a":2})"), R"({"a":1}; /a - 1 2)");
    EXPECT_EQ(three(R"(1)", R"(2)", R"(3)"), R"(2;  1 2 3)");
}

TEST(MergeThree, SeesAConflictBetweenRemovingAndChanging) {
    EXPECT_EQ(three(R"({"a":1})", R"({})", R"({"a":2})"), R"({}; /a 1 - 2)");
    EXPECT_EQ(three(R"({"a":1})", R"({"a":2})", R"({})"), R"({"a":2}; /a 1 2 -)");
    EXPECT_EQ(three(R"({"a":{"b":1}})", R"({})", R"({"a":{"b":1,"c":2}})"),
              R"({}; /a {"b":1} - {"b":1,"c":2})");
}

TEST(MergeThree, JoinsAdditionsToTheEndOfAnArray) {
    EXPECT_EQ(three("[1]", "[1,2]", "[1,3]"), "[1,2,3]");
    EXPECT_EQ(three("[]", "[1]", "[2,3]"), "[1,2,3]");
    EXPECT_EQ(three("[1]", "[1,2]", "[1,2,3]"), "[1,2,3]");
    EXPECT_EQ(three("[1]", "[1,2,4]", "[1,2,3]"), "[1,2,4,3]");
    EXPECT_EQ(three("[1]", "[1,2,3]", "[1,2]"), "[1,2,3]");
}

TEST(MergeThree, TakesAnyOtherArrayWhole) {
    EXPECT_EQ(three("[1,2]", "[0,2]", "[1,3]"), "[0,2];  [1,2] [0,2] [1,3]");
    EXPECT_EQ(three("[1]", "[1,2]", "[0]"), "[1,2];  [1] [1,2] [0]");
    EXPECT_EQ(three("[1]", "[0]", "[1,2]"), "[0];  [1] [0] [1,2]");
    EXPECT_EQ(three("[1]", "[1,2]", "[]"), "[1,2];  [1] [1,2] []");
    EXPECT_EQ(three("{}", R"({"l":[1]})", R"({"l":[2]})"), R"({"l":[1]}; /l - [1] [2])");
    EXPECT_EQ(three(R"([{"a":1}])", R"([{"a":2}])", R"([{"a":1,"b":1}])"),
              R"([{"a":2}];  [{"a":1}] [{"a":2}] [{"a":1,"b":1}])");
}

TEST(MergeThree, MergesObjectsThatBothSidesPutInPlaceOfSomethingElse) {
    EXPECT_EQ(three(R"({"a":1})", R"({"a":{"x":1}})", R"({"a":{"y":2}})"),
              R"({"a":{"x":1,"y":2}})");
    EXPECT_EQ(three(R"({})", R"({"a":{"x":1}})", R"({"a":{"x":2,"y":2}})"),
              R"({"a":{"x":1,"y":2}}; /a/x - 1 2)");
}

TEST(MergeThree, ListsConflictsByPathWhateverTheOrderOfMembers) {
    EXPECT_EQ(three(R"({})", R"({"z":1,"a":1,"m":1})", R"({"m":2,"z":2,"a":2})"),
              R"({"a":1,"m":1,"z":1}; /a - 1 2; /m - 1 2; /z - 1 2)");
}

TEST(MergeTwo, UnitesObjectsAndSeesAConflictWhereLeavesDiffer) {
    EXPECT_EQ(two(R"({"a":1,"x":{"p":1}})", R"({"b":2,"x":{"q":2}})"),
              R"({"a":1,"b":2,"x":{"p":1,"q":2}})");
    EXPECT_EQ(two(R"({"a":1,"x":{"p":1}})", R"({"a":2,"x":{"p":1}})"),
              R"({"a":1,"x":{"p":1}}; /a - 1 2)");
    EXPECT_EQ(two(R"({"l":[1]})", R"({"l":[1,2]})"), R"({"l":[1]}; /l - [1] [1,2])");
    EXPECT_EQ(two(R"({"a":{}})", R"({"a":1})"), R"({"a":{}}; /a - {} 1)");
    EXPECT_EQ(two("1", "2"), "1;  - 1 2");
    EXPECT_EQ(two(R"({"a":1})", R"({"a":1.0})"), R"({"a":1})");
}

TEST(MergeLaws, AChangeOfOneSideIsTaken) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const Value base = source.value();
        const Value changed = source.version(base);
        const std::string expected = canonical(changed);
        RC_ASSERT(summary(merge3(base, base, changed)) == expected);
        RC_ASSERT(summary(merge3(base, changed, base)) == expected);
        RC_ASSERT(summary(merge3(base, changed, changed)) == expected);
        RC_ASSERT(summary(merge2(changed, changed)) == expected);
    }));
}

TEST(MergeLaws, EditsOfDifferentMembersMergeToBoth) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const boost::json::object base{
            {"left", source.value()}, {"right", source.value()}, {"kept", source.value()}};
        boost::json::object ours = base;
        boost::json::object theirs = base;
        ours["left"] = source.value();
        theirs["right"] = source.value();
        boost::json::object expected = base;
        expected["left"] = ours["left"];
        expected["right"] = theirs["right"];
        RC_ASSERT(summary(merge3(base, ours, theirs)) == canonical(expected));
    }));
}

TEST(MergeLaws, SidesCanBeExchangedButForTheOrderOfAdditions) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const Value base = source.value();
        const Value ours = source.version(base);
        const Value theirs = source.version(base);
        const MergeResult result = merge3(base, ours, theirs);
        const MergeResult mirrored = merge3(base, theirs, ours);
        RC_ASSERT(result.conflicts.size() == mirrored.conflicts.size());
        for (std::size_t i = 0; i < result.conflicts.size(); ++i) {
            RC_ASSERT(result.conflicts[i].path == mirrored.conflicts[i].path);
            RC_ASSERT(text_of(result.conflicts[i].ours) == text_of(mirrored.conflicts[i].theirs));
        }
        RC_CLASSIFY(result.conflicts.empty(), "without conflicts");
        if (result.conflicts.empty())
            RC_ASSERT(test::text_without_order(result.merged) ==
                      test::text_without_order(mirrored.merged));
    }));
}

TEST(MergeLaws, NothingIsLost) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const Value base = source.value();
        const Value ours = source.version(base);
        const Value theirs = source.version(base);
        const MergeResult result = merge3(base, ours, theirs);
        RC_ASSERT(test::NothingLost(result, true).holds(&base, &ours, &result.merged));
        RC_ASSERT(test::NothingLost(result, false).holds(&base, &theirs, &result.merged));
        const MergeResult unknown = merge2(ours, theirs);
        RC_ASSERT(test::NothingLost(unknown, true).holds(nullptr, &ours, &unknown.merged));
        RC_ASSERT(test::NothingLost(unknown, false).holds(nullptr, &theirs, &unknown.merged));
    }));
}

TEST(MergeLaws, EveryConflictCanBeSettledForEitherSide) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        test::ValueSource source(bytes);
        const boost::json::object base{{"a", source.value()}, {"b", source.value()}};
        const MergeResult result = merge3(base, source.version(base), source.version(base));
        for (const MergeConflict& conflict : result.conflicts) {
            const auto tokens = *parse_pointer(conflict.path);
            if (tokens.empty()) continue;
            RC_ASSERT(equal(*set_at(result.merged, tokens, conflict.ours), result.merged));
            Value settled = *set_at(result.merged, tokens, conflict.theirs);
            const Value* at = find_in(settled, tokens);
            RC_ASSERT(text_of(at ? std::optional(*at) : std::nullopt) == text_of(conflict.theirs));
        }
    }));
}

// Keeps the law tests honest: each of them relies on this check to fail.
TEST(MergeLaws, TheCheckForLossFindsALoss) {
    const Value base = *parse(R"({"a":1})");
    const Value side = *parse(R"({"a":2})");
    const MergeResult dropped{base, {}};
    EXPECT_FALSE(test::NothingLost(dropped, true).holds(&base, &side, &dropped.merged));
    const MergeResult wrong{base, {{"/a", Value(1), Value(3), Value(4)}}};
    EXPECT_FALSE(test::NothingLost(wrong, true).holds(&base, &side, &wrong.merged));
    const Value list = *parse(R"({"a":[1,2]})");
    const MergeResult short_list{*parse(R"({"a":[2]})"), {}};
    EXPECT_FALSE(test::NothingLost(short_list, true).holds(&base, &list, &short_list.merged));
}

}  // namespace
}  // namespace dyad::json
