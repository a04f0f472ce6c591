#include "bus/redis/resp.hpp"

#include "base/limits.hpp"

#include <gtest/gtest.h>

namespace dyad::bus {
namespace {

using Kind = Reply::Kind;

Reply text_of(const std::string& text, Kind kind = Kind::text) {
    Reply reply;
    reply.kind = kind;
    reply.text = text;
    return reply;
}
Reply number_of(std::int64_t value) {
    Reply reply;
    reply.kind = Kind::integer;
    reply.integer = value;
    return reply;
}
Reply list_of(std::vector<Reply> elements, Kind kind = Kind::array) {
    Reply reply;
    reply.kind = kind;
    reply.elements = std::move(elements);
    return reply;
}

// In pieces of `step` bytes; nothing where it is refused.
std::optional<std::vector<Reply>> read(std::string_view bytes, std::size_t step) {
    ReplyReader reader;
    std::vector<Reply> replies;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
        if (!reader.feed(bytes.substr(0, step),
                         [&](Reply&& reply) { replies.push_back(std::move(reply)); }))
            return std::nullopt;
    return replies;
}

struct Case {
    std::string bytes;
    std::vector<Reply> replies;
};

}  // namespace

TEST(Resp, EveryTypeIsReadHoweverTheStreamIsCut) {
    const Case cases[] = {
        {"+OK\r\n+\r\n", {text_of("OK"), text_of("")}},
        {"-ERR no\r\n", {text_of("ERR no", Kind::error)}},
        {"!6\r\nERR\r\n!\r\n", {text_of("ERR\r\n!", Kind::error)}},
        {":-12\r\n:+7\r\n", {number_of(-12), number_of(7)}},
        {"$5\r\na\r\nbc\r\n$0\r\n\r\n", {text_of("a\r\nbc"), text_of("")}},
        {"$-1\r\n*-1\r\n_\r\n", {Reply{}, Reply{}, Reply{}}},
        {",1.5\r\n(123456789012345678901\r\n", {text_of("1.5"), text_of("123456789012345678901")}},
        {"#t\r\n#f\r\n", {number_of(1), number_of(0)}},
        {"=8\r\ntxt:some\r\n", {text_of("some")}},
        {"*0\r\n~1\r\n:1\r\n", {list_of({}), list_of({number_of(1)})}},
        {"*2\r\n*1\r\n+a\r\n$-1\r\n", {list_of({list_of({text_of("a")}), Reply{}})}},
        {"%1\r\n+k\r\n*1\r\n:1\r\n", {list_of({text_of("k"), list_of({number_of(1)})}, Kind::map)}},
        {">2\r\n+message\r\n$1\r\nx\r\n",
         {list_of({text_of("message"), text_of("x")}, Kind::push)}},
        {"|1\r\n+ttl\r\n:3\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n",
         {list_of({number_of(1), number_of(2)})}},
    };
    for (const Case& one : cases)
        for (std::size_t step = 1; step <= one.bytes.size(); ++step) {
            const auto replies = read(one.bytes, step);
            ASSERT_TRUE(replies.has_value()) << one.bytes;
            EXPECT_EQ(*replies, one.replies) << one.bytes << " by " << step;
        }
}

TEST(Resp, WhatIsNotOfTheProtocolIsRefused) {
    for (const char* bytes : {"hello\r\n",
                              "+OK\n",
                              "\r\n",
                              ":1x\r\n",
                              ":\r\n",
                              "$-2\r\n",
                              "$x\r\n",
                              "$1\r\nab\r\n",
                              "$1\r\na\rx",
                              "#x\r\n",
                              "_x\r\n",
                              "*x\r\n",
                              "*-2\r\n",
                              "$?\r\n",
                              "\x15\x03\x01\r\n",
                              "$99999999999\r\n",
                              "*99999999999\r\n",
                              "*70000\r\n",
                              "%40000\r\n",
                              "*40000\r\n*40000\r\n"})
        for (const std::size_t step : {std::size_t{1}, std::size_t{100}})
            EXPECT_FALSE(read(bytes, step).has_value()) << bytes;
    std::string deep;
    for (std::int64_t i = 0; i < limits::redis_reply_depth_max; ++i)
        deep += "*1\r\n";
    EXPECT_TRUE(read(deep + ":1\r\n", 7).has_value());
    EXPECT_FALSE(read("*1\r\n" + deep + ":1\r\n", 7).has_value());
    EXPECT_FALSE(read(std::string(100'000, 'x'), 1000).has_value()) << "a line without an end";
}

TEST(Resp, AStringThatIsTooLargeIsPassedOver) {
    const std::size_t max = limits::redis_reply_bytes_max;
    for (const std::size_t size : {max - 1, max}) {
        const auto replies = read("*2\r\n$1\r\nc\r\n$" + std::to_string(size) + "\r\n" +
                                      std::string(size, 'x') + "\r\n:1\r\n",
                                  65536);
        ASSERT_TRUE(replies.has_value());
        ASSERT_EQ(replies->size(), 2u);
        const Reply& message = (*replies)[0].elements[1];
        EXPECT_EQ(message.cut, size == max);  // with the "c"
        EXPECT_EQ(message.text.size(), size == max ? 0 : size);
        EXPECT_EQ((*replies)[1], number_of(1));
    }
}

TEST(Resp, CommandsAreArraysOfStrings) {
    std::string out;
    append_command(out, {"PUBLISH", "", "a\r\nb"});
    EXPECT_EQ(out, "*3\r\n$7\r\nPUBLISH\r\n$0\r\n\r\n$4\r\na\r\nb\r\n");
    const auto replies = read(out, 3);
    ASSERT_TRUE(replies.has_value());
    EXPECT_EQ((*replies)[0], list_of({text_of("PUBLISH"), text_of(""), text_of("a\r\nb")}));
}

}  // namespace dyad::bus
