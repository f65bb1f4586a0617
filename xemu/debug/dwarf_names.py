"""The numbers of DWARF that xemu uses (DWARF 5, section 7; GNU extensions as GCC documents them)."""

from __future__ import annotations


class TAG:
    """Kinds of entries (7.5.3, table 7.3)."""

    array_type, class_type, enumeration_type, formal_parameter, lexical_block = 0x01, 0x02, 0x04, 0x05, 0x0B
    member, pointer_type, reference_type, compile_unit, structure_type, subroutine_type = 0x0D, 0x0F, 0x10, 0x11, 0x13, 0x15
    typedef, union_type, inheritance, inlined_subroutine, ptr_to_member, subrange_type = 0x16, 0x17, 0x1C, 0x1D, 0x1F, 0x21
    base_type, const_type, enumerator, subprogram, variable, volatile_type = 0x24, 0x26, 0x28, 0x2E, 0x34, 0x35
    restrict_type, interface_type, namespace, unspecified_type, partial_unit = 0x37, 0x38, 0x39, 0x3B, 0x3C
    imported_unit, type_unit, rvalue_reference_type, atomic_type, skeleton_unit = 0x3D, 0x41, 0x42, 0x47, 0x4A


class AT:
    """Attributes (7.5.4, table 7.5)."""

    sibling, location, name, byte_size, bit_offset, bit_size, stmt_list = 0x01, 0x02, 0x03, 0x0B, 0x0C, 0x0D, 0x10
    low_pc, high_pc, language, const_value, inline, producer, upper_bound = 0x11, 0x12, 0x13, 0x1C, 0x20, 0x25, 0x2F
    comp_dir, abstract_origin, count, data_member_location, decl_file, decl_line = 0x1B, 0x31, 0x37, 0x38, 0x3A, 0x3B
    declaration, encoding, external, frame_base, specification, type, ranges = 0x3C, 0x3E, 0x3F, 0x40, 0x47, 0x49, 0x55
    lower_bound, bit_stride, byte_stride, entry_pc, call_column, call_file, call_line = 0x22, 0x2E, 0x51, 0x52, 0x57, 0x58, 0x59
    endianity, signature, data_bit_offset, const_expr, artificial, virtuality = 0x65, 0x69, 0x6B, 0x6C, 0x34, 0x4C
    linkage_name, str_offsets_base, addr_base, rnglists_base, dwo_name, loclists_base = 0x6E, 0x72, 0x73, 0x74, 0x76, 0x8C
    call_value, call_return_pc, call_origin, alignment = 0x7E, 0x7D, 0x7F, 0x88
    MIPS_linkage_name, GNU_vector, GNU_call_site_value = 0x2007, 0x2107, 0x2111
    GNU_dwo_name, GNU_dwo_id, GNU_ranges_base, GNU_addr_base = 0x2130, 0x2131, 0x2132, 0x2133


class FORM:
    """How values are written (7.5.6, table 7.6)."""

    addr, block2, block4, data2, data4, data8, string, block, block1 = 0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A
    data1, flag, sdata, strp, udata, ref_addr, ref1, ref2, ref4, ref8 = 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14
    ref_udata, indirect, sec_offset, exprloc, flag_present, strx, addrx = 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B
    ref_sup4, strp_sup, data16, line_strp, ref_sig8, implicit_const = 0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x21
    loclistx, rnglistx, ref_sup8, strx1, strx2, strx3, strx4 = 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28
    addrx1, addrx2, addrx3, addrx4 = 0x29, 0x2A, 0x2B, 0x2C
    GNU_addr_index, GNU_str_index, GNU_ref_alt, GNU_strp_alt = 0x1F01, 0x1F02, 0x1F20, 0x1F21


class ATE:
    """Encodings of base types (7.8, table 7.11)."""

    address, boolean, complex_float, float_, signed, signed_char, unsigned, unsigned_char, UTF = 1, 2, 3, 4, 5, 6, 7, 8, 0x10


class UT:
    """Kinds of units (7.5.1, table 7.2)."""

    compile, type, partial, skeleton, split_compile, split_type = 1, 2, 3, 4, 5, 6
