#include "cli/bridge_run.hpp"

#include "cli/terminal.hpp"
#include "model/identity.hpp"

#include <chrono>
#include <thread>

namespace dyad::cli {
namespace {

constexpr int kPatience = 40;  // times
constexpr std::chrono::milliseconds kPause{100};

std::string shown_word(Verdict verdict, bool dry) {
    if (verdict == Verdict::sent && dry) return "changed here";
    if (verdict == Verdict::received && dry) return "changed there";
    if (verdict == Verdict::merged && dry) return "changed on both sides";
    return std::string(word_of(verdict));
}

std::string advice_of(const BridgedFile& file, Verdict verdict) {
    if (verdict == Verdict::conflict)
        return "each side keeps its own: make the file what it should be, and delete " +
               conflict_path(file);
    if (verdict == Verdict::gone_here)
        return "the shared one stays; --restore brings it back, --delete deletes that, too";
    if (verdict == Verdict::gone_there)
        return "the one here stays; --restore shares it again, --delete deletes this, too";
    if (verdict == Verdict::no_block) return "nothing of it is shared; --adopt shares all of it";
    return {};
}

bool is_worth_a_line(const Outcome& outcome) {
    return outcome.changed || outcome.verdict == Verdict::conflict ||
           outcome.verdict == Verdict::gone_here || outcome.verdict == Verdict::gone_there;
}

// It is only a question of time.
bool may_succeed_later(const Error& error) {
    return error.code == Errc::unavailable || error.code == Errc::version_conflict;
}

bool same(const Result<Outcome>& a, const Result<Outcome>& b) {
    if (a && b) return a->verdict == b->verdict;
    return !a && !b && a.error().detail == b.error().detail;
}

}  // namespace

Status BridgeRun::meet() {
    ASSIGN_OR_RETURN(shared_, shared_files(client_, project_.prefix()));
    return Done{};
}

std::vector<BridgedFile> BridgeRun::files() const {
    std::map<std::string, BridgedFile> out;
    for (BridgedFile& file : project_.files())
        out.emplace(file.name, file);
    const std::string prefix = project_.prefix();
    for (const std::string& key : shared_.keys)
        if (key.starts_with(prefix))
            if (auto file = project_.file(std::string_view(key).substr(prefix.size())))
                out.emplace(file->name, *file);
    std::vector<BridgedFile> files;
    for (auto& [name, file] : out)
        files.push_back(std::move(file));
    return files;
}

Result<Outcome> BridgeRun::run(const BridgedFile& file) {
    const std::string key = project_.key(file);
    TRY(check_name("its key", key, limits::context_key_bytes_max, NameRule::label));
    return sync_.run(file, key, shared_.log);
}

bool BridgeRun::sync(const BridgedFile& file) {
    const Result<Outcome> outcome = run(file);
    const auto [before, first] = last_.try_emplace(file.name, outcome);
    const bool is_new = first || !same(before->second, outcome);
    before->second = outcome;
    if (!outcome ? is_new : outcome->changed || (is_new && is_worth_a_line(*outcome)))
        show(file, outcome);
    return outcome || !may_succeed_later(outcome.error());
}

void BridgeRun::sync_all() {
    for (const BridgedFile& file : files())
        for (int left = kPatience; !sync(file) && left > 0; --left)
            std::this_thread::sleep_for(kPause);
}

void BridgeRun::show(const BridgedFile& file, const Result<Outcome>& outcome) {
    const std::string word = outcome ? shown_word(outcome->verdict, dry_)
                             : may_succeed_later(outcome.error()) ? "waiting"
                                                                  : "skipped";
    const std::string why = outcome ? advice_of(file, outcome->verdict) : outcome.error().detail;
    if (client_.json()) {
        boost::json::object line{{"file", file.name},
                                 {"path", file.path},
                                 {"contextKey", project_.key(file)},
                                 {"whole", file.whole},
                                 {"state", word}};
        if (!why.empty()) line["why"] = why;
        if (outcome && dry_) {
            line["fileDiff"] = outcome->file_diff;
            line["sharedDiff"] = outcome->shared_diff;
        }
        return print_json(line);
    }
    const Colour colour = !outcome || outcome->verdict == Verdict::conflict ? Colour::amber
                          : outcome->changed                                ? Colour::green
                                                                            : Colour::dim;
    print_line(printable(file.name) + ": " + paint(colour, word) +
               (why.empty() ? "" : "; " + printable(why)));
    if (!outcome || !dry_) return;
    print(printable(outcome->file_diff, true));
    print(printable(outcome->shared_diff, true));
}

void BridgeRun::show_all() {
    std::vector<Row> rows;
    for (const BridgedFile& file : files()) {
        const Result<Outcome> outcome = run(file);
        last_.insert_or_assign(file.name, outcome);
        if (outcome && outcome->verdict == Verdict::nothing) continue;
        if (client_.json()) {
            show(file, outcome);
            continue;
        }
        rows.push_back({file.name, file.whole ? "whole" : "block",
                        outcome ? shown_word(outcome->verdict, true) : "skipped",
                        outcome ? advice_of(file, outcome->verdict) : outcome.error().detail});
    }
    if (!client_.json()) print(table({"FILE", "SHARED", "STATE", "WHAT TO DO"}, rows));
}

Exit BridgeRun::status() const {
    Exit out = Exit::ok;
    for (const auto& [name, outcome] : last_) {
        if (!outcome) return Exit::failed;
        if (outcome->verdict == Verdict::conflict) out = Exit::conflict;
    }
    return out;
}

}  // namespace dyad::cli
