"""Reads a page as XML, which forgives nothing, and prints its elements with their attributes as JSON."""

import json
import sys
import xml.etree.ElementTree as tree

page = tree.fromstring(sys.stdin.read())
print(json.dumps([[element.tag, element.attrib] for element in page.iter()]))
