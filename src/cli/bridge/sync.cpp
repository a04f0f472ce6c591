#include "cli/bridge/sync.hpp"

#include "base/check.hpp"
#include "cli/bridge/line_merge.hpp"
#include "cli/bridge/managed_block.hpp"
#include "cli/bridge/text_file.hpp"
#include "edit/diff.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace dyad::cli {
namespace {

constexpr int kTriesMax = 16;
// An editor that puts a new file in the place of the old one is done by then.
constexpr std::chrono::milliseconds kGone{1500};

std::string conflict_text(const BridgedFile& file, const std::vector<MergePart>& parts) {
    std::string out =
        "What " + file.name +
        " says here and what the shared memory says could not be made one in these places.\n"
        "Each side keeps its own. Make the file what it should be, and delete this one.\n";
    for (const MergePart& part : parts) {
        const auto side = [&out](const char* mark, const std::string& text) {
            out.append(mark).append(text);
            if (!text.empty() && !text.ends_with('\n')) out.append("\n");
        };
        side("\n<<<<<<< this file\n", part.mine);
        side("||||||| before\n", part.base);
        side("======= shared\n", part.theirs);
        out.append(">>>>>>>\n");
    }
    return out;
}

}  // namespace

std::string_view word_of(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::nothing:
            return "nothing yet";
        case Verdict::no_block:
            return "no block";
        case Verdict::in_step:
            return "in step";
        case Verdict::sent:
            return "sent";
        case Verdict::received:
            return "received";
        case Verdict::merged:
            return "merged";
        case Verdict::conflict:
            return "conflict";
        case Verdict::gone_here:
            return "gone here";
        case Verdict::gone_there:
            return "gone there";
    }
    CHECK(false);
}

std::string conflict_path(const BridgedFile& file) {
    return file.path + ".dyad-conflict";
}

SyncPlan plan_sync(const Text& mine, const Text& base, const Text& theirs, bool deletes,
                   bool unites) {
    if (mine && theirs) {
        const Merge merge = base ? Merge(*base, *mine, *theirs, unites) : Merge(*mine, *theirs);
        SyncPlan plan{merge.text(Side::mine),
                      merge.text(Side::theirs),
                      merge.text(Side::base),
                      merge.text(Side::base, Side::mine),
                      {}};
        for (const MergePart& part : merge.parts())
            if (part.conflict) plan.conflicts.push_back(part);
        return plan;
    }
    const Text& left = mine ? mine : theirs;
    if (!left) return {};
    const bool edited = left != base;
    if (!base || (edited && (deletes || mine))) return {left, left, left, left, {}};
    if (deletes && !edited) return {};
    return {mine, theirs, base, base, {}};
}

// What is there, and what it was made from.
struct FileSync::Sides {
    Text file;  // its bytes
    SharedPart part;
    Text mine, theirs;
    std::int64_t version = 0;  // of the shared text

    bool one_is_gone() const { return mine.has_value() != theirs.has_value(); }
    Verdict verdict(const SyncPlan& plan, bool whole) const {
        if (!plan.conflicts.empty()) return Verdict::conflict;
        const bool sends = plan.theirs != theirs, receives = plan.mine != mine;
        if (sends) return receives ? Verdict::merged : Verdict::sent;
        if (receives) return Verdict::received;
        if (one_is_gone()) return mine ? Verdict::gone_there : Verdict::gone_here;
        if (mine) return Verdict::in_step;
        return file && !whole ? Verdict::no_block : Verdict::nothing;
    }
};

Result<Outcome> FileSync::run(const BridgedFile& file, const std::string& key,
                              const std::string& log) {
    for (int tries = 1;; ++tries) {
        Result<Outcome> outcome = once(file, key, log);
        if (outcome || outcome.error().code != Errc::version_conflict || tries == kTriesMax)
            return outcome;
    }
}

Status FileSync::send(const std::string& key, Record& record) {
    const PendingWrite pending = *record.pending;
    const Status sent = memory_.write(key, pending.text, pending.version, pending.operation);
    if (!sent && sent.error().code == Errc::unavailable) return sent;
    record.pending.reset();
    if (sent) record.base = pending.base;
    TRY(records_.save(key, record));
    return sent;
}

Result<FileSync::Sides> FileSync::read_sides(const BridgedFile& file, const std::string& key,
                                             const Record& record) {
    ASSIGN_OR_RETURN(Text bytes, read_text_file(file.path));
    ASSIGN_OR_RETURN(SharedPart part, SharedPart::find(bytes.value_or(""), file.whole));
    const bool bare = bytes && !bytes->empty() && !file.whole && !part.has_block();
    if (options_.adopts && bare && !record.base) {
        ASSIGN_OR_RETURN(part, SharedPart::find(part.wrapped(), false));
    }
    ASSIGN_OR_RETURN(const std::optional<SharedText> shared, memory_.read(key));
    Sides sides{std::move(bytes), std::move(part), {}, {}, shared ? shared->version : 0};
    sides.mine = sides.part.text();
    std::string theirs = shared ? with_lf(shared->text) : "";
    // A block ends with the end of a line, also where the shared text does not.
    while (!file.whole && theirs.ends_with('\r'))
        theirs.pop_back();
    if (!theirs.empty()) sides.theirs = std::move(theirs);
    const Text& model = sides.theirs ? sides.theirs : record.base;
    if (!file.whole && sides.mine && model && !model->empty() && !model->ends_with('\n'))
        sides.mine->pop_back();
    return sides;
}

Result<Outcome> FileSync::once(const BridgedFile& file, const std::string& key,
                               const std::string& log) {
    ASSIGN_OR_RETURN(Record record, records_.load(key));
    if (record.pending && !options_.dry)
        if (const Status sent = send(key, record); !sent && sent.error().code == Errc::unavailable)
            return sent.error();
    ASSIGN_OR_RETURN(const Sides sides, read_sides(file, key, record));
    if (sides.one_is_gone() && record.base) {
        // What another log had is not gone from this one.
        if (options_.restores || (!sides.theirs && record.log != log)) record.base.reset();
        if (options_.deletes && !options_.dry && record.base && !sides.mine) {
            std::this_thread::sleep_for(kGone);
            ASSIGN_OR_RETURN(const Text again, read_text_file(file.path));
            if (again != sides.file) return fail(Errc::version_conflict);
        }
    }
    const bool was_shown = record.conflict.has_value();
    if (was_shown && sides.mine && sides.theirs) {
        if (!stamp_of(conflict_path(file))) {
            // It was seen: what the file has counts, against what was shown.
            record.base = record.conflict->theirs;
            record.conflict.reset();
        } else if (record.conflict->mine == *sides.mine &&
                   record.conflict->theirs == *sides.theirs) {
            return Outcome{Verdict::conflict};
        }
    }
    const SyncPlan plan = plan_sync(sides.mine, record.base, sides.theirs, options_.deletes,
                                    !record.conflict.has_value());
    const std::string before = sides.file.value_or("");
    std::string bytes = before;
    if (plan.mine || sides.mine) {
        ASSIGN_OR_RETURN(bytes, sides.part.with(plan.mine));
    }
    Outcome out{sides.verdict(plan, file.whole)};
    out.changed = bytes != before || plan.theirs != sides.theirs;
    out.file_diff = edit::unified_diff(before, bytes, file.name, file.name);
    out.shared_diff =
        edit::unified_diff(sides.theirs.value_or(""), plan.theirs.value_or(""), key, key);
    if (options_.dry) return out;
    record.log = log;
    TRY(apply(file, key, sides, plan, bytes, record));
    out.changed = out.changed || was_shown != record.conflict.has_value();
    return out;
}

Status FileSync::apply(const BridgedFile& file, const std::string& key, const Sides& sides,
                       const SyncPlan& plan, const std::string& bytes, Record& record) {
    if (plan.theirs && plan.theirs != sides.theirs) {
        record.pending = {*plan.theirs, sides.version, plan.base_of_mine.value_or(""),
                          random_.uuid4()};
        TRY(records_.save(key, record));
        TRY(send(key, record));
    } else if (plan.theirs != sides.theirs) {
        TRY(memory_.remove(key, sides.version));
    }
    if (bytes.empty() && !plan.mine && sides.mine) {
        TRY(remove_text_file(file.path, *sides.file));
    } else if (bytes != sides.file.value_or("")) {
        TRY(replace_text_file(file.path, sides.file, bytes));
    }
    record.base = plan.base;
    TRY(show_conflict(file, plan, record));
    return record.base ? records_.save(key, record) : records_.forget(key);
}

Status FileSync::show_conflict(const BridgedFile& file, const SyncPlan& plan, Record& record) {
    const std::string path = conflict_path(file);
    if (plan.conflicts.empty() && !record.conflict) return Done{};
    ASSIGN_OR_RETURN(const Text shown, read_text_file(path));
    // Who wrote into it may keep it; what is new will be shown after it has gone.
    const bool edited = shown && record.conflict && *shown != record.conflict->file;
    if (plan.conflicts.empty()) {
        record.conflict.reset();
        return shown && !edited ? remove_text_file(path, *shown) : Status(Done{});
    }
    if (edited) return Done{};
    const std::string text = conflict_text(file, plan.conflicts);
    if (shown != text) TRY(replace_text_file(path, shown, text));
    record.conflict = {*plan.mine, *plan.theirs, text};
    return Done{};
}

}  // namespace dyad::cli
