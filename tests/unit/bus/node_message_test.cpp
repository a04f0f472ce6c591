#include "bus/redis/node_message.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"

#include <gtest/gtest.h>

namespace dyad::bus {
namespace {

SessionNote note() {
    return {.server = "us",
            .node = 9,
            .serial = 1ULL << 40,
            .topic = Topic::shown,
            .user = "ada",
            .session = "s-1",
            .entries = {{"plan", 7}, {"", 0}, {std::string("a\0b", 3), ~0ULL}}};
}

std::string message_of(const BusMessage& one, std::string_view channel = kSessionsChannel) {
    std::string parts;
    append_part(parts, one);
    return sign("secret", channel, 5, parts);
}

Result<std::vector<BusMessage>> read(std::string_view text,
                                     std::string_view channel = kSessionsChannel) {
    return read_node_message("secret", channel, "", text);
}

TEST(NodeMessage, ANoteOnASessionIsReadAsItWasWritten) {
    const std::string text = message_of(note());
    EXPECT_EQ(sender_of(text), 5u);
    const auto read_back = read(text);
    ASSERT_TRUE(read_back.has_value()) << read_back.error().detail;
    ASSERT_EQ(read_back->size(), 1u);
    EXPECT_EQ(std::get<SessionNote>(read_back->front()), note());
}

TEST(NodeMessage, SeveralNotesAreOneMessage) {
    std::string parts;
    append_part(parts, note());
    append_part(parts, SessionNote{});
    const auto both = read(sign("secret", kSessionsChannel, 5, parts));
    ASSERT_TRUE(both.has_value());
    ASSERT_EQ(both->size(), 2u);
    EXPECT_EQ(std::get<SessionNote>(both->back()), SessionNote{});
}

// A later version may have more of them.
TEST(NodeMessage, ATopicThatIsNotKnownIsPassedOn) {
    SessionNote unknown = note();
    unknown.topic = static_cast<Topic>(200);
    const auto read_back = read(message_of(unknown));
    ASSERT_TRUE(read_back.has_value());
    EXPECT_EQ(std::get<SessionNote>(read_back->front()), unknown);
}

TEST(NodeMessage, EachKindHasItsChannel) {
    EXPECT_FALSE(read(message_of(note(), kNodesChannel), kNodesChannel));
    const std::string channel = log_channel("secret", "ada");
    EXPECT_FALSE(read_node_message("secret", channel, "ada", message_of(note(), channel)));
    EXPECT_FALSE(read(message_of(Heartbeat{.node = 1})));
    EXPECT_FALSE(read(message_of(Hint{"ada"})));
    EXPECT_TRUE(read(message_of(Heartbeat{.node = 1}, kNodesChannel), kNodesChannel));
}

TEST(NodeMessage, WhoeverHasNotTheSecretSpeaksForNobody) {
    const std::string text = message_of(note());
    EXPECT_FALSE(read_node_message("another", kSessionsChannel, "", text));
    EXPECT_FALSE(read_node_message("secret", kNodesChannel, "", text));
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(read(changed)) << i;
        EXPECT_FALSE(read(text.substr(0, i))) << i;
    }
}

TEST(NodeMessage, ANoteHasItsBounds) {
    SessionNote many = note();
    many.entries.assign(limits::session_note_entries_max, {"k", 1});
    EXPECT_TRUE(read(message_of(many)));
    many.entries.emplace_back("k", 1);
    EXPECT_FALSE(read(message_of(many)));
    SessionNote long_user = note();
    long_user.user.assign(limits::user_id_bytes_max + 1, 'u');
    EXPECT_FALSE(read(message_of(long_user)));
    // A count of entries that are not there.
    std::string parts;
    append_part(parts, SessionNote{});
    parts[parts.size() - 4] = 100;
    EXPECT_FALSE(read(sign("secret", kSessionsChannel, 5, parts)));
}

}  // namespace
}  // namespace dyad::bus
