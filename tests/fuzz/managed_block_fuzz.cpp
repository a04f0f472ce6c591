// Files with and without blocks made from any bytes, and three versions of a text: what is outside
// of a block never changes, what is put in is there, and the laws of merging hold.
#include "base/check.hpp"
#include "cli/bridge/line_merge.hpp"
#include "cli/bridge/managed_block.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace {

using namespace dyad;
using namespace dyad::cli;

// The next piece, up to a byte 0xff; the letters B and E at the beginning of a line are markers.
std::string take_piece(std::string_view& bytes) {
    const std::size_t end = std::min(bytes.find('\xff'), bytes.size());
    std::string out;
    for (const char c : bytes.substr(0, end)) {
        const bool at_line = out.empty() || out.back() == '\n';
        if (at_line && c == 'B')
            out.append("<!-- dyad-memory:begin -->");
        else if (at_line && c == 'E')
            out.append("<!-- dyad-memory:end -->");
        else
            out += c;
    }
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    return out;
}

void check_block(const std::string& file, bool whole, std::string text) {
    const Result<SharedPart> part = SharedPart::find(file, whole);
    if (!part) return;
    if (part->text()) {
        const Result<std::string> same = part->with(part->text());
        CHECK(same && *same == file);
    }
    text = with_lf(text);
    while (text.ends_with('\r'))
        text.pop_back();
    const Result<std::string> changed = part->with(text);
    if (!changed) return;
    const Result<SharedPart> again = SharedPart::find(*changed, whole);
    if (!again) return;  // the text is not UTF-8, or no text
    if (whole) {
        CHECK(again->text().value_or("") == text);
        return;
    }
    CHECK(again->text() == (text.ends_with('\n') ? text : text + "\n"));
    const Result<std::string> without = part->with(std::nullopt), gone = again->with(std::nullopt);
    CHECK(without && gone);
    CHECK(part->has_block() ? *gone == *without : gone->starts_with(file));
    if (part->has_block()) return;
    const Result<SharedPart> wrapped = SharedPart::find(part->wrapped(), false);
    CHECK(wrapped && wrapped->has_block());
}

void check_merge(const std::string& base, const std::string& mine, const std::string& theirs) {
    const Merge merge(base, mine, theirs), mirror(base, theirs, mine);
    CHECK(merge.text(Side::base, Side::base) == base);
    CHECK(merge.text(Side::mine, Side::mine) == mine);
    CHECK(merge.text(Side::theirs, Side::theirs) == theirs);
    CHECK(merge.conflicts() == mirror.conflicts());
    CHECK(merge.text(Side::mine).size() == mirror.text(Side::theirs).size());
    for (const Merge& one : {Merge(base, base, theirs), Merge(base, theirs, base),
                             Merge(base, theirs, theirs), Merge(theirs, theirs)})
        CHECK(one.conflicts() == 0 && one.text(Side::mine) == theirs);
    const Merge unrelated(mine, theirs);
    CHECK(unrelated.text(Side::mine, Side::mine) == mine);
    CHECK(unrelated.text(Side::theirs, Side::theirs) == theirs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(bytes), size);
    const bool whole = !rest.empty() && rest.front() == 'W';
    const std::string base = take_piece(rest), mine = take_piece(rest), theirs = take_piece(rest);
    check_block(base, whole, mine);
    check_block(mine, false, theirs);
    check_merge(base, mine, theirs);
    return 0;
}
