#include "cli/path_expansion.hpp"

#include <map>

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

Result<std::string> expanded(std::string_view text,
                             std::map<std::string, std::string> variables = {
                                 {"HOME", "/home/ada"}, {"EMPTY", ""}, {"DISK", "/mnt/d"}}) {
    return expand_path(
        text, {[&](const std::string& name) -> std::optional<std::string> {
                   const auto found = variables.find(name);
                   return found == variables.end() ? std::nullopt
                                                   : std::optional<std::string>(found->second);
               },
               [](const std::string& user) -> std::optional<std::string> {
                   if (user.empty()) return "/root";
                   return user == "bob" ? std::optional<std::string>("/home/bob") : std::nullopt;
               }});
}

TEST(PathExpansion, IsThatOfAShell) {
    for (const auto& [written, meant] : std::map<std::string, std::string>{
             {"/srv/memory", "/srv/memory"},
             {"memory", "memory"},
             {"~", "/home/ada"},
             {"~/mem", "/home/ada/mem"},
             {"~/", "/home/ada/"},
             {"~bob/mem", "/home/bob/mem"},
             {"~bob", "/home/bob"},
             {"a~b/~", "a~b/~"},
             {"/x/~/y", "/x/~/y"},
             {" /mem \t", "/mem"},
             {"$HOME/mem", "/home/ada/mem"},
             {"${HOME}/mem", "/home/ada/mem"},
             {"/data/$DISK", "/data//mnt/d"},
             {"${XDG_DATA_HOME:-~/.local/share}/m", "/home/ada/.local/share/m"},
             {"${XDG_DATA_HOME:-${HOME}/.local/share}/m", "/home/ada/.local/share/m"},
             {"${XDG_DATA_HOME-$HOME/x}", "/home/ada/x"},
             {"${EMPTY:-/x}", "/x"},
             {"${DISK:-/x}", "/mnt/d"},
             {"/käse/李", "/käse/李"}}) {
        const Result<std::string> path = expanded(written);
        ASSERT_TRUE(path) << written << ": " << path.error().detail;
        EXPECT_EQ(*path, meant) << written;
    }
}

TEST(PathExpansion, KnowsTheHomeOfWhoeverHasNoVariable) {
    EXPECT_EQ(*expanded("~/m", {}), "/root/m");
    EXPECT_EQ(*expanded("~/m", {{"HOME", ""}}), "/root/m");
    EXPECT_EQ(*expanded("~/m", {{"HOME", "/"}}), "/m");
}

TEST(PathExpansion, RefusesWhatIsNoPathAndSaysWhatToWrite) {
    for (const auto& [written, says] :
         std::map<std::string, std::string>{{"", "is empty"},
                                            {"  ", "is empty"},
                                            {"~eve/mem", "\"eve\""},
                                            {"~+", "\"+\""},
                                            {"$NOWHERE/mem", "NOWHERE, which is not set"},
                                            {"${NOWHERE}/mem", "NOWHERE, which is not set"},
                                            {"$EMPTY/mem", "EMPTY, which is not set"},
                                            {"${EMPTY-/x}", "EMPTY, which is not set"},
                                            {"${HOME", "none of $NAME"},
                                            {"${HOME%/*}", "none of $NAME"},
                                            {"/a$/b", "none of $NAME"},
                                            {"/a/$1", "none of $NAME"},
                                            {"$(pwd)/mem", "command"},
                                            {"`pwd`/mem", "command"},
                                            {"file:///home/ada/my%20mem", "write /home/ada/my mem"},
                                            {"file:/srv/m", "write /srv/m"},
                                            {"file://localhost/srv/m", "write /srv/m"},
                                            {"s3://bucket/m", "path of this machine"},
                                            {"\\~/mem", "backslash"},
                                            {"C:\\mem", "backslash"},
                                            {"a\nb", "control characters"},
                                            {std::string("a\0b", 3), "control characters"}}) {
        const Result<std::string> path = expanded(written);
        ASSERT_FALSE(path) << written << " became " << *path;
        EXPECT_NE(path.error().detail.find(says), std::string::npos)
            << written << ": " << path.error().detail;
    }
}

}  // namespace
}  // namespace dyad::cli
