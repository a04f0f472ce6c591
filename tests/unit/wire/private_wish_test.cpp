// What a refused message may have asked for.
#include "wire/private_wish.hpp"

#include <gtest/gtest.h>

namespace dyad::wire {

using Whom = std::optional<std::string>;

TEST(PrivateWish, AModeUpdateAsksUnlessItPlainlyNamesAnotherMode) {
    for (const char* payload :
         {R"({"currentMode":"inspired","x":})", R"({ "x" : [1,{"toMode":"didactic"}],
           "currentMode" : "\u0069nspired" })",
          R"({"toMode":"INSPIRED"})", R"({"currentMode":" inspired"})",
          R"({"currentMode":"didactic","toMode":"inspired"})", R"({"currentMode":"incognito"})",
          R"({"currentMode":7})", R"({"data":{"currentMode":"didactic"}})",
          R"({"currentMode":"dida)", "{}", "", "[]", R"("didactic")"})
        EXPECT_EQ(private_wish(payload, Said::mode_update), Whom("")) << payload;
    for (const char* payload :
         {R"({"currentMode":"didactic"})", R"({"x":01,"toMode":"Parallel "})",
          R"({"previousMode":"inspired","currentMode":"didactic","configuration":"inspired"})"})
        EXPECT_EQ(private_wish(payload, Said::mode_update), Whom()) << payload;
}

TEST(PrivateWish, ACommandAsksWhereItSetsAModeAndNamesInspiredOrNone) {
    EXPECT_EQ(private_wish(R"({"op":"mode.set","mode":"inspired","x":01})", Said::operation),
              Whom(""));
    EXPECT_EQ(private_wish(R"({"op":"mode.set"})", Said::operation), Whom(""));
    EXPECT_EQ(
        private_wish(R"({"mode":"inspired","instanceId":"lap","op":"mode.set"})", Said::operation),
        Whom("lap"));
    for (const char* payload :
         {R"({"op":"mode.set","mode":"asleep"})", R"({"op":"mode.set","mode":"parallel"})",
          R"({"op":"context.put","mode":"inspired"})", R"({"mode":"inspired"})",
          R"({"op":"context.put","data":{"op":"mode.set","mode":"inspired"}})"})
        EXPECT_EQ(private_wish(payload, Said::operation), Whom()) << payload;
}

TEST(PrivateWish, ABodyOfARequestNamesTheModeAsTheClientsDo) {
    EXPECT_EQ(private_wish(R"({"mode":"inspired","x":01})", Said::mode), Whom(""));
    EXPECT_EQ(private_wish(R"({"currentMode":5})", Said::mode), Whom(""));
    EXPECT_EQ(private_wish(R"({"mode":"fast"})", Said::mode), Whom());
}

}  // namespace dyad::wire
