#include "cli/bridge/project.hpp"

#include <gtest/gtest.h>

namespace dyad::cli {
namespace {

TEST(ProjectOfRemote, IsTheSameHoweverTheAddressIsWritten) {
    for (const char* const url :
         {"https://github.com/ada/notes.git", "https://ada:secret@GitHub.com/ada/notes",
          "git@github.com:ada/notes.git", "ssh://git@github.com:22/ada/notes.git/",
          "git://github.com/ada/notes", "github.com:/ada/notes"})
        EXPECT_EQ(project_of_remote(url), "github.com/ada/notes") << url;
}

TEST(ProjectOfRemote, IsTheLastPartOfAPath) {
    for (const char* const url : {"/srv/git/notes.git", "../notes", "file:///srv/notes.git/"})
        EXPECT_EQ(project_of_remote(url), "notes") << url;
    EXPECT_EQ(project_of_remote(""), "");
}

TEST(ClaudeFolderName, HasDashesForAllButLettersAndDigits) {
    EXPECT_EQ(claude_folder_name("/home/ada/my_notes.2"), "-home-ada-my-notes-2");
}

TEST(Project, KnowsNoNameThatLeadsElsewhere) {
    const Result<Project> project = Project::open({.root = "/", .name = "p", .memory = "/m"});
    ASSERT_TRUE(project);
    for (const char* const name :
         {"../CLAUDE.md", "/etc/passwd", ".cursor/rules/../../x.mdc", ".cursor/rules//x.mdc",
          ".cursor/rules/x.md", "claude-memory/../x.md", "claude-memory/a/b.md",
          "claude-memory/.x.md", "claude-memory/", "", "src/main.c", ".bashrc"})
        EXPECT_FALSE(project->file(name)) << name;
    EXPECT_EQ(project->file("CLAUDE.md")->path, "/CLAUDE.md");
    EXPECT_FALSE(project->file("CLAUDE.md")->whole);
    EXPECT_EQ(project->file("claude-memory/a.md")->path, "/m/a.md");
    EXPECT_TRUE(project->file(".cursor/rules/a/b.mdc")->whole);
    EXPECT_EQ(project->key(*project->file("AGENTS.md")), "file:p/AGENTS.md");
}

TEST(Project, KnowsOnlyTheFilesThatAreNamed) {
    const Result<Project> project =
        Project::open({.root = "/", .name = "p", .files = {"./docs/notes.md"}, .whole = true});
    ASSERT_TRUE(project);
    EXPECT_FALSE(project->file("CLAUDE.md"));
    EXPECT_TRUE(project->file("docs/notes.md")->whole);
    EXPECT_EQ(project->files().size(), 1U);
    for (const char* const wrong : {"../x", "a//b", ".", ""})
        EXPECT_FALSE(Project::open({.root = "/", .name = "p", .files = {wrong}})) << wrong;
    EXPECT_FALSE(Project::open({.root = "/nowhere/at/all"}));
}

}  // namespace
}  // namespace dyad::cli
