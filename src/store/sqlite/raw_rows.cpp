#include "store/sqlite/raw_rows.hpp"

#include "store/sqlite/seal.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

constexpr std::uint8_t kIndexInterior = 2, kTableInterior = 5, kIndexLeaf = 10, kTableLeaf = 13;

std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i)
        value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    return value;
}

std::optional<std::uint64_t> take_varint(std::string_view& in) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 9 && i < in.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(in[i]);
        value = i == 8 ? value << 8 | byte : value << 7 | (byte & 0x7f);
        if (i < 8 && (byte & 0x80) != 0) continue;
        in.remove_prefix(i + 1);
        return value;
    }
    return std::nullopt;
}

std::size_t bytes_of_type(std::uint64_t type) {
    constexpr std::size_t kFixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? kFixed[type] : (type - 12) / 2;
}

RawValue value_of(std::uint64_t type, std::string_view bytes) {
    RawValue value;
    if (type == 0 || type == 10 || type == 11) return value;
    if (type == 7) {
        value.kind = RawValue::Kind::real;
    } else if (type < 10) {
        value.kind = RawValue::Kind::integer;
        const std::size_t bits = 8 * bytes_of_type(type);
        value.number =
            static_cast<std::int64_t>(type >= 8 ? type - 8 : big_endian(bytes, 0, bits / 8));
        if (bits != 0 && bits != 64)  // the sign
            value.number = static_cast<std::int64_t>(static_cast<std::uint64_t>(value.number)
                                                     << (64 - bits)) >>
                           (64 - bits);
    } else {
        value.kind = type % 2 == 0 ? RawValue::Kind::blob : RawValue::Kind::text;
        value.bytes = bytes;
    }
    return value;
}

// Reads a record of which `payload` is the beginning, or all.
bool read_record_values(std::string_view payload, std::uint64_t payload_bytes,
                        std::vector<RawValue>& values) {
    constexpr std::size_t kColumnsMax = 32;
    std::string_view header = payload;
    const auto header_bytes = take_varint(header);
    const std::size_t taken = payload.size() - header.size();
    if (!header_bytes || *header_bytes < taken || *header_bytes > payload.size()) return false;
    header = header.substr(0, *header_bytes - taken);
    std::string_view body = payload.substr(*header_bytes);
    std::uint64_t expected = *header_bytes;
    values.clear();
    while (!header.empty()) {
        const auto type = take_varint(header);
        if (!type || values.size() == kColumnsMax) return false;
        const std::size_t bytes = bytes_of_type(*type);
        expected += bytes;
        if (expected > payload_bytes) return false;
        const std::string_view some = body.substr(0, bytes);
        if (some.size() < bytes && *type < 12) return false;
        values.push_back(value_of(*type, some));
        body.remove_prefix(some.size());
    }
    return expected == payload_bytes && !values.empty();
}

}  // namespace

std::string RawRow::shape() const {
    std::string out;
    for (const RawValue& value : values)
        out += "nirtb"[static_cast<std::size_t>(value.kind)];
    return out;
}

Result<std::unique_ptr<RawRows>> RawRows::open(sqlite3_vfs& vfs, const std::string& path) {
    ASSIGN_OR_RETURN(auto file, File::open(vfs, path, false));
    std::unique_ptr<RawRows> rows(new RawRows(std::move(file)));
    ASSIGN_OR_RETURN(const std::uint64_t size, rows->file_->size());
    ASSIGN_OR_RETURN(const std::string header, rows->file_->read(0, 100));
    const bool begins_well = header.starts_with("SQLite format 3");
    if (begins_well) {
        const std::size_t said = big_endian(header, 16, 2);
        const std::size_t bytes = said == 1 ? 65536 : said;
        if (bytes >= 512 && (bytes & (bytes - 1)) == 0) rows->page_bytes_ = bytes;
        rows->usable_bytes_ =
            rows->page_bytes_ - std::min<std::size_t>(big_endian(header, 20, 1), 32);
    } else {
        rows->usable_bytes_ = rows->page_bytes_;
    }
    rows->pages_ = static_cast<std::uint32_t>((size + rows->page_bytes_ - 1) / rows->page_bytes_);
    rows->blamed_.resize(rows->pages_ + std::size_t{1});
    if (!begins_well) rows->blame(1, "it does not begin as a database does");
    return rows;
}

void RawRows::blame(std::uint32_t number, const std::string& why) {
    if (number >= blamed_.size() || blamed_[number]) return;
    blamed_[number] = true;
    damaged_.emplace_back(number, why);
}

const RawRows::Page& RawRows::page(std::uint32_t number) {
    constexpr std::size_t kCached = 8;
    for (auto& [cached, page] : cache_)
        if (cached == number) return page;
    if (cache_.size() >= kCached) cache_.erase(cache_.begin());
    Page page;
    const Result<std::string> bytes =
        file_->read(std::uint64_t{number - 1} * page_bytes_, page_bytes_);
    if (!bytes) blame(number, bytes.error().detail);
    if (bytes) page.bytes = *bytes;
    if (bytes && page.bytes.size() < page_bytes_) blame(number, "it is cut short");
    page.bytes.resize(page_bytes_, '\0');
    if (page_bytes_ - usable_bytes_ == kSealBytes && !read_seal(page.bytes, number))
        blame(number, "it is not as it was written");
    page.begin = number == 1 ? 100 : 0;
    page.sound = !blamed_[number];
    return cache_.emplace_back(number, std::move(page)).second;
}

std::optional<RawRows::Cell> RawRows::cell_at(const Page& page, std::size_t at) const {
    const auto type = static_cast<std::uint8_t>(page.bytes[page.begin]);
    std::string_view in = std::string_view(page.bytes).substr(0, usable_bytes_);
    if (at >= in.size()) return std::nullopt;
    in.remove_prefix(at);
    if (type == kIndexInterior) in.remove_prefix(std::min<std::size_t>(4, in.size()));
    Cell cell;
    const auto payload = take_varint(in);
    if (!payload) return std::nullopt;
    cell.payload_bytes = *payload;
    cell.in_table = type == kTableLeaf;
    if (cell.in_table) {
        const auto rowid = take_varint(in);
        if (!rowid) return std::nullopt;
        cell.rowid = static_cast<std::int64_t>(*rowid);
    }
    const std::size_t usable = usable_bytes_;
    const std::size_t most = cell.in_table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    const std::size_t least = (usable - 12) * 32 / 255 - 23;
    std::size_t local = static_cast<std::size_t>(cell.payload_bytes);
    if (cell.payload_bytes > most) {
        const std::size_t fitting = least + (cell.payload_bytes - least) % (usable - 4);
        local = fitting <= most ? fitting : least;
    }
    const bool spills = cell.payload_bytes > most;
    if (cell.payload_bytes > std::uint64_t{pages_} * page_bytes_ ||
        local + (spills ? 4 : 0) > in.size())
        return std::nullopt;
    cell.local = in.substr(0, local);
    if (spills) cell.overflow = static_cast<std::uint32_t>(big_endian(in, local, 4));
    return cell;
}

void RawRows::visit_page(std::uint32_t number, const Visitor& visit) {
    const Page here = page(number);  // a copy: reading on may throw it out of the cache
    const auto type = static_cast<std::uint8_t>(here.bytes[here.begin]);
    if (type != kTableLeaf && type != kIndexLeaf && type != kIndexInterior) {
        // Of the others SQLite's own have 0 there, but for tables' inner pages.
        if (type != 0 && type != kTableInterior) blame(number, "it is no page of a database");
        return;
    }
    const std::size_t count = big_endian(here.bytes, here.begin + 3, 2);
    const std::size_t array = here.begin + (type == kIndexInterior ? 12 : 8);
    if (array + 2 * count > usable_bytes_) {
        blame(number, "its list of rows is damaged");
        return;
    }
    RawRow row;
    row.in_table = type == kTableLeaf;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = big_endian(here.bytes, array + 2 * i, 2);
        const std::optional<Cell> cell = cell_at(here, at);
        if (!cell || !read_record_values(cell->local, cell->payload_bytes, row.values)) {
            blame(number, "a row on it is damaged");
            continue;
        }
        row.rowid = cell->rowid;
        row.sound = here.sound;
        visit(row, {.page = number, .at = static_cast<std::uint32_t>(at)});
    }
}

// False where a page of it does not say where the next one is; what is read then is a guess.
bool RawRows::read_overflow(const Cell& cell, std::string& payload) {
    bool sound = true;
    std::uint32_t next = cell.overflow;
    std::uint32_t before = 0;
    while (payload.size() < cell.payload_bytes) {
        if (next < 2 || next > pages_) {  // they mostly follow each other
            sound = false;
            if (before != 0) blame(before, "it does not say where its row goes on");
            next = before + 1;
            if (before == 0 || next > pages_) break;
        }
        const Page& here = page(next);
        sound = sound && here.sound;
        const std::size_t left = cell.payload_bytes - payload.size();
        payload.append(here.bytes, 4, std::min(left, usable_bytes_ - 4));
        before = next;
        next = static_cast<std::uint32_t>(big_endian(here.bytes, 0, 4));
    }
    return sound;
}

std::optional<RawRow> RawRows::read(RawPlace place) {
    const Page here = page(place.page);
    std::optional<Cell> cell = cell_at(here, place.at);
    if (!cell) return std::nullopt;
    RawRow row;
    row.rowid = cell->rowid;
    row.in_table = cell->in_table;
    row.sound = here.sound;
    std::string payload(cell->local);
    if (payload.size() < cell->payload_bytes)
        row.sound = read_overflow(*cell, payload) && row.sound;
    payload.resize(cell->payload_bytes, '\0');
    if (!read_record_values(payload, cell->payload_bytes, row.values)) return std::nullopt;
    return row;
}

}  // namespace dyad::sqlite
