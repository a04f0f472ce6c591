#include "cli/bridge/project.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "edit/lines.hpp"
#include "model/identity.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlocks[] = {"CLAUDE.md", ".claude/CLAUDE.md", "AGENTS.md",
                                        "AI_RULES.md", ".cursorrules"};
constexpr std::string_view kRules = ".cursor/rules/";
constexpr std::string_view kMemory = "claude-memory/";
constexpr int kRulesDepthMax = 8;
constexpr std::size_t kGitFileBytesMax = 65536;

// A path below something: no part of it is empty, `.` or `..`, and none is hidden from view.
bool is_plain_path(std::string_view name) {
    for (const std::string_view blank = name; !name.empty() || name.data() == blank.data();) {
        const std::size_t end = std::min(name.find('/'), name.size());
        const std::string_view part = name.substr(0, end);
        if (part.empty() || part == "." || part == "..") return false;
        if (end == name.size()) return true;
        name.remove_prefix(end + 1);
    }
    return false;
}

bool is_rule(std::string_view name) {
    return name.starts_with(kRules) && name.ends_with(".mdc") && is_plain_path(name);
}

bool is_memory(std::string_view name) {
    if (!name.starts_with(kMemory) || !name.ends_with(".md")) return false;
    name.remove_prefix(kMemory.size());
    return name.find('/') == std::string_view::npos && !name.starts_with('.');
}

std::string text_of(const fs::path& path) {
    std::string out(kGitFileBytesMax, '\0');
    std::ifstream in(path, std::ios::binary);
    in.read(out.data(), static_cast<std::streamsize>(out.size()));
    out.resize(static_cast<std::size_t>(in.gcount()));
    return out;
}

// The folder of git's data that all work trees of this one share; empty where there is none.
fs::path git_folder(const fs::path& root) {
    std::error_code none;
    const fs::path git = root / ".git";
    if (fs::is_directory(git, none)) return git;
    const std::string link = text_of(git);
    if (!link.starts_with("gitdir:")) return {};
    const fs::path own = root / trimmed(std::string_view(link).substr(7), " \t\r\n");
    const std::string common = text_of(own / "commondir");
    return common.empty() ? own : own / trimmed(common, " \t\r\n");
}

std::string remote_of(const fs::path& git) {
    bool origin = false;
    const std::string config = text_of(git / "config");
    for (const std::string_view line : edit::lines_of(config)) {
        std::string_view text = trimmed(line, " \t\r\n");
        if (text.starts_with('[')) origin = text == "[remote \"origin\"]";
        if (!origin || !text.starts_with("url")) continue;
        text = trimmed(text.substr(3));
        if (text.starts_with('=')) return std::string(trimmed(text.substr(1)));
    }
    return {};
}

// What all work trees of a repository have in common: the folder of the first one.
fs::path first_tree(const fs::path& root, const fs::path& git) {
    std::error_code code;
    const fs::path whole = fs::weakly_canonical(git, code);
    return !git.empty() && !code && whole.filename() == ".git" ? whole.parent_path() : root;
}

}  // namespace

std::string project_of_remote(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const bool local = url.starts_with("file:") || url.starts_with('/') || url.starts_with('.');
    if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    while (url.ends_with('/'))
        url.remove_suffix(1);
    if (url.ends_with(".git")) url.remove_suffix(4);
    while (url.ends_with('/'))
        url.remove_suffix(1);
    const std::size_t colon = url.find(':'), slash = std::min(url.find('/'), url.size());
    const bool has_host = !local && (scheme != std::string_view::npos || colon < slash);
    if (!has_host) return std::string(url.substr(url.rfind('/') + 1));
    std::string_view host =
        url.substr(0, std::min(scheme == std::string_view::npos ? colon : slash, slash));
    std::string_view path = url.substr(std::min(host.size() + 1, url.size()));
    if (const std::size_t user = host.rfind('@'); user != std::string_view::npos)
        host.remove_prefix(user + 1);
    if (scheme != std::string_view::npos) host = host.substr(0, host.find(':'));
    while (path.starts_with('/'))
        path.remove_prefix(1);
    return to_lower(host).append("/").append(path);
}

std::string claude_folder_name(std::string_view root) {
    std::string out(root);
    for (char& c : out)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '-';
    return out;
}

Result<Project> Project::open(const ProjectOptions& options) {
    Project out;
    std::error_code code;
    const fs::path root =
        fs::canonical(options.root.empty() ? fs::path(".") : fs::path(options.root), code);
    if (code || !fs::is_directory(root, code))
        return fail(Errc::invalid_field, "--root: \"" + options.root + "\" is no folder");
    out.root_ = root.string();
    const fs::path git = git_folder(root);
    out.name_ = options.name;
    if (out.name_.empty() && !git.empty()) out.name_ = project_of_remote(remote_of(git));
    if (out.name_.empty()) out.name_ = first_tree(root, git).filename().string();
    TRY(check_name("--project", out.name_, limits::context_key_bytes_max, NameRule::label));
    out.memory_ = options.memory;
    if (out.memory_.empty() && !options.claude.empty() && fs::is_directory(options.claude, code)) {
        const std::string tree = options.claude_project.empty()
                                     ? claude_folder_name(first_tree(root, git).string())
                                     : options.claude_project;
        out.memory_ = (fs::path(options.claude) / "projects" / tree / "memory").string();
    }
    out.all_whole_ = options.whole;
    for (std::string name : options.files) {
        if (name.starts_with(out.root_ + "/")) name.erase(0, out.root_.size() + 1);
        while (name.starts_with("./"))
            name.erase(0, 2);
        if (!is_plain_path(name))
            return fail(Errc::invalid_field,
                        "--file: \"" + name + "\" is no path below " + out.root_);
        out.named_.push_back(std::move(name));
    }
    return out;
}

std::optional<BridgedFile> Project::file(std::string_view name) const {
    const bool named = std::find(named_.begin(), named_.end(), name) != named_.end();
    const bool memory = is_memory(name) && !memory_.empty();
    const bool whole = is_rule(name) || memory;
    const bool known =
        whole || std::find(std::begin(kBlocks), std::end(kBlocks), name) != std::end(kBlocks);
    if (named_.empty() ? !known : !named) return std::nullopt;
    const fs::path path =
        memory ? fs::path(memory_) / name.substr(kMemory.size()) : fs::path(root_) / name;
    return BridgedFile{std::string(name), path.string(), all_whole_ || whole};
}

std::vector<BridgedFile> Project::files() const {
    std::set<std::string> names(named_.begin(), named_.end());
    std::error_code code;
    if (named_.empty()) {
        names.insert(std::begin(kBlocks), std::end(kBlocks));
        const auto follow = fs::directory_options::skip_permission_denied;
        for (fs::recursive_directory_iterator at(fs::path(root_) / kRules, follow, code), end;
             !code && at != end; at.increment(code)) {
            if (at.depth() >= kRulesDepthMax) at.disable_recursion_pending();
            names.insert(at->path().lexically_relative(root_).generic_string());
        }
        if (!memory_.empty())
            for (fs::directory_iterator at(memory_, code), end; !code && at != end;
                 at.increment(code))
                names.insert(std::string(kMemory).append(at->path().filename().string()));
    }
    std::vector<BridgedFile> out;
    for (const std::string& name : names)
        if (std::optional<BridgedFile> one = file(name);
            one && out.size() < static_cast<std::size_t>(limits::page_items_max))
            out.push_back(*std::move(one));
    return out;
}

std::vector<std::string> Project::folders() const {
    std::set<std::string> out = {root_};
    if (!memory_.empty()) out.insert(memory_);
    for (const BridgedFile& file : files()) {
        std::error_code code;
        const fs::path real = fs::canonical(file.path, code);
        out.insert(fs::path(file.path).parent_path().string());
        if (!code) out.insert(real.parent_path().string());
    }
    return {out.begin(), out.end()};
}

}  // namespace dyad::cli
