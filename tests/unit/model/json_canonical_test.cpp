#include "model/json_canonical.hpp"

#include "support/json_values.hpp"

#include <string>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace dyad::json {
namespace {

// As Boost.JSON writes it, with white space where `bytes` want it.
std::string written(const Value& value, const std::vector<std::uint8_t>& bytes) {
    std::string text;
    bool inside = false;
    bool escape = false;
    std::size_t i = 0;
    for (const char c : boost::json::serialize(value)) {
        text += c;
        if (c == '"' && !escape) inside = !inside;
        escape = c == '\\' && !escape;
        if (!inside && std::string_view(",:[]{}").find(c) != std::string_view::npos &&
            !bytes.empty())
            text.append(bytes[i % bytes.size()] % 3, " \n\t\r"[i % 4]);
        ++i;
    }
    return text;
}

TEST(Canonicalizer, ReadsOneValueAndLeavesTheLexerAfterIt) {
    Canonicalizer canonicalizer;
    Lexer lexer(R"({"b":1, "a":2},"x" ,[ 1 ]])");
    for (const std::string_view canonical : {R"({"a":2,"b":1})", R"("x")", "[1]"}) {
        lexer.skip_space();
        ASSERT_TRUE(canonicalizer.read(lexer));
        EXPECT_EQ(canonicalizer.text(), canonical);
        lexer.skip_space();
        lexer.advance();
    }
    EXPECT_TRUE(lexer.at_end());
}

TEST(Canonicalizer, TakesTextThatIsCanonicalAsItStands) {
    Canonicalizer canonicalizer;
    const std::string text = R"([{"a":"\n\"x\u0001","b":[-1,[],{}]}])";
    Lexer lexer(text);
    ASSERT_TRUE(canonicalizer.read(lexer));
    EXPECT_EQ(canonicalizer.text(), text);
    EXPECT_EQ(canonicalizer.text().data(), text.data());
}

TEST(Canonicalizer, AgreesWithTheTreeForAnyValueInsideAnotherText) {
    Canonicalizer canonicalizer;
    EXPECT_TRUE(rc::check([&](const std::vector<std::uint8_t>& bytes) {
        const Value value = test::ValueSource(bytes).value();
        const std::string text = "[0," + written(value, bytes) + " ,1]";
        Lexer lexer(text, 3);
        lexer.skip_space();
        RC_ASSERT(canonicalizer.read(lexer));
        RC_ASSERT(std::string(canonicalizer.text()) == canonical(value));
        lexer.skip_space();
        RC_ASSERT(std::string(lexer.rest()) == ",1]");
    }));
}

TEST(Canonicalizer, ReadsOnAfterAnErrorAndALargeValue) {
    Canonicalizer canonicalizer;
    for (int i = 0; i < 3; ++i) {
        Lexer broken(R"({"b":{"\u0061":1},"a":[{"c":"x\/)");
        EXPECT_FALSE(canonicalizer.read(broken));
        const std::string pad(200, 'p');
        std::string large = "[ ";
        while (large.size() < 300'000)
            large += R"({"b":1.0,"a":"\/)" + pad + "\"}, ";
        large += "1]";
        Lexer lexer(large);
        ASSERT_TRUE(canonicalizer.read(lexer));
        EXPECT_EQ(canonicalizer.text(), *canonicalize(large));
        canonicalizer.forget_large();
        Lexer small(R"({"b":1,"a":2})");
        ASSERT_TRUE(canonicalizer.read(small));
        EXPECT_EQ(canonicalizer.text(), R"({"a":2,"b":1})");
    }
}

TEST(Canonicalizer, NamesTheByteOfTheWholeText) {
    Canonicalizer canonicalizer;
    for (const auto& [text, position] :
         {std::pair{R"(12345{"a":1,"a":2})", 12}, std::pair{R"(12345{"a":01})", 10},
          std::pair{R"(12345{"b":1,"a":2,"b":[)", 18}}) {
        Lexer lexer(text, 5);
        ASSERT_FALSE(canonicalizer.read(lexer));
        const std::string detail = lexer.take_error().detail;
        EXPECT_TRUE(detail.starts_with("byte " + std::to_string(position) + ": ")) << detail;
    }
}

}  // namespace
}  // namespace dyad::json
