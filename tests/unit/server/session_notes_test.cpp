#include "server/session_notes.hpp"

#include <gtest/gtest.h>

namespace dyad::server {
namespace {

TEST(SessionNotes, EachIsTakenOnceHoweverManyCellsHearIt) {
    SessionNotes notes;
    int taken = 0;
    const auto hear = [&](NodeId node, std::uint64_t serial) {
        notes.take({.node = node, .serial = serial}, [&] { ++taken; });
    };
    hear(1, 1);
    hear(1, 1);
    EXPECT_EQ(taken, 1);
    hear(2, 1);  // another node's
    hear(1, 2);
    hear(1, 4);
    EXPECT_EQ(taken, 4);
    hear(1, 3);  // late: what came after it counts
    EXPECT_EQ(taken, 4);
    for (NodeId node = 10; node < 3000; ++node)
        hear(node, 1);
    EXPECT_EQ(taken, 4 + 2990);
}

}  // namespace
}  // namespace dyad::server
