// Which files of a project the bridge knows, by the names that they have on every machine:
//
//     CLAUDE.md, .claude/CLAUDE.md, AGENTS.md, AI_RULES.md, .cursorrules   a block of each
//     .cursor/rules/**.mdc                                                 whole
//     claude-memory/*.md: Claude's memory folder, wherever it is here      whole
//
// and, where files are named, those instead. No name leads out of these places, whoever wrote it.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct BridgedFile {
    std::string name;  // with slashes, on every machine the same
    std::string path;
    bool whole = false;
};

struct ProjectOptions {
    std::string root;            // empty: the working directory
    std::string name;            // empty: as git's remote `origin`, or the folder, is called
    std::string memory;          // Claude's memory folder; empty: where Claude Code has it
    std::string claude;          // the folder of Claude Code's configuration; empty: none is known
    std::string claude_project;  // how it calls the project's folder there; empty: by its path
    std::vector<std::string> files;  // only these
    bool whole = false;              // all of them as a whole
};

class Project {
  public:
    // Errors: invalid_field, with the option that is wrong.
    static Result<Project> open(const ProjectOptions& options);

    const std::string& root() const noexcept { return root_; }
    const std::string& name() const noexcept { return name_; }
    // Those that are there, and those of one name that may come.
    std::vector<BridgedFile> files() const;
    // Nothing where the bridge does not know it.
    std::optional<BridgedFile> file(std::string_view name) const;
    // Of the contexts: "file:PROJECT/NAME".
    std::string prefix() const { return "file:" + name_ + "/"; }
    std::string key(const BridgedFile& file) const { return prefix() + file.name; }
    // Folders to be watched, of those that are there.
    std::vector<std::string> folders() const;

  private:
    std::string root_, name_, memory_;
    std::vector<std::string> named_;
    bool all_whole_ = false;
};

// "github.com/ada/notes" of any way to write that address; the last part of a path.
std::string project_of_remote(std::string_view url);
// As Claude Code calls the folder of a project.
std::string claude_folder_name(std::string_view root);

}  // namespace dyad::cli
